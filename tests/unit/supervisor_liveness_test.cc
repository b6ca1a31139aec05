// A generation that is probed while it serves.
#include "core/phase_limit.h"
#include "core/story.h"
#include "supervisor_story.h"

namespace graced {

namespace {

constexpr GenerationId first{1};
constexpr GenerationId second{2};
constexpr GenerationId third{3};

ProbeRule healthz() {
  return {.what = "GET http://a/", .interval = 1s, .fails = 3, .while_serving = 5s};
}

Policy watched(const ProbeRule& rule = healthz()) {
  Policy policy;
  policy.probes = {rule};
  return policy;
}

// The candidate is ready, and its probes pass.
void proves_itself(Story& s) {
  s.candidate_becomes_ready();
  for (const Probe& probe : only<Probe>(s.last)) s.happens(ProbePassed{probe.generation, probe.probe});
}

Story serving_watched(const Policy& policy = watched()) {
  Story s(policy);
  s.happens(ReloadAsked{nobody});
  s.prepared();
  proves_itself(s);
  REQUIRE(s.serving_generation() == first);
  return s;
}

// One look more of who serves, which fails.
void fails_once(Story& s) {
  s.passes(5s);
  REQUIRE(only<Probe>(s.last).size() == 1);
  s.happens(ProbeFailed{s.serving_generation(), 0, "no answer in 2s"});
}

void fails(Story& s) {
  for (int look = 0; look < 3; ++look) fails_once(s);
}

Story ailing(const Policy& policy = watched()) {
  Story s = serving_watched(policy);
  fails(s);
  return s;
}

void replacement_is_ready(Story& s) {
  s.passes(100ms);
  REQUIRE(the<Prepare>(s.last).same_as == s.serving_generation());
  s.prepared();
  proves_itself(s);
}

}  // namespace

TEST_CASE("who serves is looked at again and again, at its own interval, also after the first start") {
  Story s = serving_watched();
  CHECK(none<Probe>(s.last));
  s.passes(5s - 1ms);
  CHECK(none<Probe>(s.last));
  s.passes(1ms);
  CHECK(the<Probe>(s.last).generation == first);
  s.passes(1min);  // it looks
  CHECK(none<Probe>(s.last));
  s.happens(ProbePassed{first, 0});
  CHECK(s.last.empty());
  s.passes(5s);
  CHECK(the<Probe>(s.last).generation == first);
}

TEST_CASE("a probe that looks before the switch only wakes nobody later") {
  Policy policy = watched();
  policy.probes[0].while_serving.reset();
  const Story s = serving_watched(policy);
  CHECK(s.supervisor.next_deadline() == no_deadline);
  CHECK(s.supervisor.status().watched.empty());
}

TEST_CASE("a server that hangs is replaced by another one of the same, and is drained only then") {
  Story s = ailing();
  const WorkerId hangs = s.newest();
  CHECK(the<Ailing>(s.last).why == "GET http://a/: no answer in 2s, 3 of 3 failed");
  CHECK(the<Ailing>(s.last).at == s.now + 100ms);
  CHECK(none<Drain>(s.last));
  CHECK(story_of(s.supervisor.status()) ==
        "generation 1 serves with 1 worker, its probe fails (GET http://a/: no answer in 2s)");

  s.passes(100ms);
  CHECK(the<Prepare>(s.last).generation == second);
  CHECK(the<Prepare>(s.last).same_as == first);
  CHECK(s.phase() == "serving");
  CHECK(s.supervisor.status().replaces == first);
  CHECK(!phase_limit(s.supervisor.status(), s.supervisor.next_deadline()));
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(none<Switch>(s.last));
  CHECK(the<Probe>(s.last).generation == second);
  s.happens(ProbePassed{second, 0});

  CHECK(the<Switch>(s.last).to == second);
  CHECK(the<Replaced>(s.last).from == first);
  CHECK(the<Replaced>(s.last).why == "GET http://a/: no answer in 2s, 3 of 3 failed");
  CHECK(the<Drain>(s.last).worker == hangs);
  s.passes(60s);
  CHECK(the<Kill>(s.last).worker == hangs);

  const Status status = s.supervisor.status();
  CHECK(status.reloads == 0);
  CHECK(status.restarts == 1);
  CHECK(!status.last_reload);
  REQUIRE(status.last_replacement);
  CHECK(status.last_replacement->ok);
  CHECK(story_of(status).ends_with(
      "; generation 1 was replaced, since its probe failed: GET http://a/: no answer in 2s, 3 of 3 failed"));
}

TEST_CASE("a look that passes in between begins the count anew") {
  Story s = serving_watched();
  fails_once(s);
  fails_once(s);
  s.passes(5s);
  s.happens(ProbePassed{first, 0});
  fails_once(s);
  fails_once(s);
  CHECK(none<Ailing>(s.last));
  fails_once(s);
  CHECK(the<Ailing>(s.last).generation == first);
}

TEST_CASE("who passes again before it is replaced stays") {
  Policy policy = watched();
  policy.restart_delay = 10s;
  Story s = ailing(policy);
  s.passes(5s);
  s.happens(ProbePassed{first, 0});
  s.passes(5s);
  CHECK(none<Prepare>(s.last));
}

TEST_CASE(
    "a replacement that fails leaves the other one serving, and is tried again after a delay that doubles") {
  Story s = ailing();
  const WorkerId hangs = s.newest();
  s.passes(100ms);
  s.prepared();
  s.exits(s.newest(), 3);
  CHECK(the<Abandon>(s.last).replaces == first);
  CHECK(s.state(hangs) == "ready");
  CHECK(s.supervisor.status().failed_reloads == 0);
  CHECK(!s.supervisor.status().last_reload);
  CHECK(story_of(s.supervisor.status())
            .ends_with("; generation 2, which was to replace it, failed: exited with status 3"));
  s.passes(200ms - 1ms);
  CHECK(none<Prepare>(s.last));
  s.passes(1ms);
  CHECK(the<Prepare>(s.last).generation == third);
  s.prepared();
  s.happens(PreparationFailed{third, "no room"});
  s.exits(s.newest());
  s.passes(399ms);
  CHECK(none<Prepare>(s.last));
  s.passes(1ms);
  CHECK(only<Prepare>(s.last).size() == 1);
  CHECK(s.state(hangs) == "ready");
}

TEST_CASE("a replacement whose own probe fails does not serve") {
  Story s = ailing();
  s.passes(100ms);
  s.prepared();
  s.candidate_becomes_ready();
  for (int look = 0; look < 3; ++look) {
    s.happens(ProbeFailed{second, 0, "connection refused"});
    s.passes(1s);
  }
  CHECK(s.supervisor.status().last_replacement->why == "GET http://a/: connection refused, 3 of 3 failed");
  CHECK(s.serving_generation() == first);
}

TEST_CASE("no more replacements are tried than the start limit has room for, and nobody gives up") {
  Policy policy = watched();
  policy.start_limit = 2;
  policy.restart_delay_limit = 100ms;
  Story s = ailing(policy);
  const Instant begin = s.now;
  unsigned tried = 0;
  while (s.now < begin + 4min) {
    s.passes(std::min<Duration>(s.supervisor.next_deadline() - s.now, 1min));
    if (s.supervisor.status().replaces) {
      ++tried;
      s.happens(PreparationFailed{s.preparing, "no room"});
    }
  }
  CHECK(tried == 2);
  CHECK(s.serving_generation() == first);
  CHECK(s.phase() == "serving");
  s.passes(2min);
  CHECK(!none<Prepare>(s.last));
}

TEST_CASE("a replacement that hangs soon as well waits longer, one that has served for a while does not") {
  Story s = ailing();
  replacement_is_ready(s);
  REQUIRE(s.serving_generation() == second);
  for (int look = 0; look < 2; ++look) fails_once(s);
  s.passes(5s);
  s.happens(ProbeFailed{second, 0, "no answer in 2s"});
  CHECK(the<Ailing>(s.last).at == s.now + 100ms);  // after 15 s

  Policy quick = watched({.what = "tcp://a:1", .fails = 1, .while_serving = 1s});
  Story soon = serving_watched(quick);
  soon.passes(1s);
  soon.happens(ProbeFailed{first, 0, "connection refused"});
  replacement_is_ready(soon);
  soon.passes(1s);
  soon.happens(ProbeFailed{second, 0, "connection refused"});
  CHECK(the<Ailing>(soon.last).at == soon.now + 200ms);
}

TEST_CASE("a reload wins over a replacement, whose end is nobody's failure") {
  Story s = ailing();
  s.passes(100ms);
  s.prepared();
  s.happens(ReloadAsked{RequestId{7}});
  CHECK(the<Abandon>(s.last).generation == second);
  CHECK(the<Prepare>(s.last).generation == third);
  CHECK(the<Prepare>(s.last).same_as == GenerationId{});
  s.prepared();
  proves_itself(s);
  CHECK(the<Answer>(s.last).ok);
  CHECK(s.serving_generation() == third);
  CHECK(s.supervisor.status().reloads == 1);
  CHECK(s.supervisor.status().failed_reloads == 0);
  CHECK(!s.supervisor.status().last_replacement);
}

TEST_CASE("while a reload runs no replacement is started, and if it fails one is") {
  Story s = serving_watched();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  for (int look = 0; look < 3; ++look) {
    s.passes(5s);
    s.happens(ProbeFailed{first, 0, "no answer in 2s"});
  }
  CHECK(the<Ailing>(s.last).generation == first);
  s.passes(1s);
  CHECK(none<Prepare>(s.last));
  s.exits(s.newest());
  CHECK(the<Prepare>(s.last).same_as == first);
}

TEST_CASE("both generations may be looked at at a time, and neither's word counts for the other") {
  Story s = serving_watched();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.candidate_becomes_ready();
  REQUIRE(the<Probe>(s.last).generation == second);
  s.passes(5s);
  CHECK(the<Probe>(s.last).generation == first);
  s.happens(ProbePassed{first, 0});
  CHECK(none<Switch>(s.last));
  s.happens(ProbePassed{second, 0});
  CHECK(the<Switch>(s.last).to == second);
  s.happens(ProbeFailed{first, 0, "too late"});
  CHECK(s.last.empty());
}

TEST_CASE("on probation a probe that fails brings the one before back, and starts nobody") {
  Policy policy = watched();
  policy.probation = 10min;
  Story s = serving_watched(policy);
  s.happens(ReloadAsked{nobody});
  s.prepared();
  proves_itself(s);
  fails(s);
  CHECK(the<Switch>(s.last).to == first);
  CHECK(the<RolledBack>(s.last).by_probe);
  CHECK(the<RolledBack>(s.last).why == "GET http://a/: no answer in 2s, 3 of 3 failed");
  CHECK(none<Spawn>(s.last));
  CHECK(none<Ailing>(s.last));
  s.passes(5s);
  CHECK(the<Probe>(s.last).generation == first);
}

TEST_CASE("a replacement has no probation, as it is no new build") {
  Policy policy = watched();
  policy.probation = 1s;
  Story s = ailing(policy);
  replacement_is_ready(s);
  CHECK(s.serving_generation() == second);
  CHECK(!s.supervisor.status().probation);
  CHECK(only<Drain>(s.last).size() == 1);
}

TEST_CASE("while nobody is ready nobody is looked at, and what was seen of that does not count") {
  Story s = serving_watched();
  fails_once(s);
  fails_once(s);
  s.passes(5s);
  s.exits(s.newest());
  s.happens(ProbeFailed{first, 0, "connection refused"});
  CHECK(none<Ailing>(s.last));
  s.passes(100ms);
  s.passes(20s);
  CHECK(none<Probe>(s.last));
  s.happens(WorkerReady{s.newest()});
  s.passes(5s - 1ms);
  CHECK(none<Probe>(s.last));
  s.passes(1ms);
  CHECK(only<Probe>(s.last).size() == 1);
  s.happens(ProbeFailed{first, 0, "no answer in 2s"});
  CHECK(none<Ailing>(s.last));
}

TEST_CASE("an abort leaves a replacement alone, a stop does not") {
  Story s = ailing();
  s.passes(100ms);
  s.prepared();
  s.happens(AbortAsked{"root"});
  CHECK(s.last.empty());
  s.happens(StopAsked{nobody});
  CHECK(the<Abandon>(s.last).generation == second);
  s.everybody_exits();
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("of several workers all are replaced at once, and all count") {
  Policy policy = watched();
  policy.workers = 3;
  Story s = ailing(policy);
  replacement_is_ready(s);
  CHECK(only<Drain>(s.last).size() == 3);
  CHECK(s.supervisor.status().restarts == 3);
}

}  // namespace graced
