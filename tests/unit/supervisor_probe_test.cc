// A candidate that is probed before it serves.
#include "core/phase_limit.h"
#include "core/story.h"
#include "supervisor_story.h"

namespace graced {

namespace {

Policy probed(const ProbeRule& rule = {.what = "GET http://127.0.0.1:8080/healthz"}) {
  Policy policy;
  policy.probes = {rule};
  return policy;
}

// Generation 1 serves, and 2 is ready.
Story on_trial(const Policy& with = probed()) {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared(with);
  s.candidate_becomes_ready();
  return s;
}

constexpr GenerationId second{2};

}  // namespace

TEST_CASE("a candidate that is ready serves only when its probe has passed") {
  Story s = on_trial();
  CHECK(none<Switch>(s.last));
  CHECK(the<Probe>(s.last).generation == second);
  CHECK(s.phase() == "reloading");
  CHECK(story_of(s.supervisor.status()) == "generation 1 serves with 1 worker, generation 2 is probed");

  s.happens(ProbePassed{second, 0});
  CHECK(the<Switch>(s.last).to == second);
  CHECK(the<Answer>(s.last).ok);
  CHECK(s.supervisor.status().probes.empty());
  s.passes(10min);
  CHECK(none<Probe>(s.last));
}

TEST_CASE("a candidate that fails its probe changes nothing, and the asker hears what was seen") {
  Story s = on_trial();
  for (int look = 0; look < 2; ++look) {
    s.happens(ProbeFailed{second, 0, "503 Service Unavailable"});
    CHECK(s.last.empty());
    s.passes(1s);
    CHECK(only<Probe>(s.last).size() == 1);
  }
  CHECK(story_of(s.supervisor.status()) ==
        "generation 1 serves with 1 worker, generation 2 is probed (GET http://127.0.0.1:8080/healthz: "
        "503 Service Unavailable)");
  s.happens(ProbeFailed{second, 0, "503 Service Unavailable"});
  CHECK(the<Abandon>(s.last).why ==
        "GET http://127.0.0.1:8080/healthz: 503 Service Unavailable, 3 of 3 failed");
  CHECK_FALSE(the<Answer>(s.last).ok);
  CHECK(the<Drain>(s.last).worker == s.newest());
  CHECK(s.serving_generation() == GenerationId{1});
}

TEST_CASE("only looks in a row count, for the one and for the other") {
  Story s = on_trial(probed({.what = "tcp://[::1]:25", .passes = 2, .fails = 2}));
  s.happens(ProbePassed{second, 0});
  s.passes(1s);
  s.happens(ProbeFailed{second, 0, "connection refused"});
  s.passes(1s);
  s.happens(ProbePassed{second, 0});
  CHECK(none<Switch>(s.last));
  s.passes(1s);
  s.happens(ProbePassed{second, 0});
  CHECK(the<Switch>(s.last).to == second);
}

TEST_CASE("a probe that takes longer than --ready-timeout is not waited for") {
  Policy policy = probed({.what = "exec:./smoke-test", .fails = 1000});
  policy.ready_timeout = 5s;
  Story s = on_trial(policy);
  const auto limit = phase_limit(s.supervisor.status(), s.supervisor.next_deadline());
  CHECK(limit == s.now + 5s);

  s.passes(4s);
  s.happens(ProbeFailed{second, 0, "no database"});
  s.passes(1s);
  CHECK(the<Abandon>(s.last).why == "exec:./smoke-test: no database, not passed within 5s");
  CHECK_FALSE(the<Answer>(s.last).ok);
}

TEST_CASE("one that has seen nothing by then says so") {
  Policy policy = probed({.what = "tcp://:25"});
  policy.ready_timeout = 1s;
  Story s = on_trial(policy);
  s.passes(1s);
  CHECK(the<Abandon>(s.last).why == "tcp://:25: not passed within 1s");
}

TEST_CASE("a generation whose time is over with that of the probes makes room: an older one goes on draining") {
  Story s = serving(Policy{.drain_timeout = infinity});
  const WorkerId first = s.newest();
  s.reloads(Policy{.drain_timeout = 5s});
  const WorkerId out_of_time = s.newest();
  s.reloads(Policy{.max_draining = 2});
  Policy candidate = probed();
  candidate.ready_timeout = 5s;
  s.happens(ReloadAsked{nobody});
  s.prepared(candidate);
  s.candidate_becomes_ready();

  s.passes(5s);
  CHECK(the<Abandon>(s.last).generation == GenerationId{4});
  CHECK(the<Kill>(s.last).worker == out_of_time);
  CHECK(s.state(first) == "draining");
}

TEST_CASE("the first look waits for the start delay, the next for the interval") {
  Story s = on_trial(probed({.what = "tcp://:25", .start_delay = 4s, .interval = 2s}));
  CHECK(none<Probe>(s.last));
  s.passes(3999ms);
  CHECK(none<Probe>(s.last));
  s.passes(1ms);
  CHECK(only<Probe>(s.last).size() == 1);
  s.passes(3s);  // it looks
  CHECK(none<Probe>(s.last));
  s.happens(ProbeFailed{second, 0, "connection refused"});
  s.passes(1999ms);
  CHECK(none<Probe>(s.last));
  s.passes(1ms);
  CHECK(only<Probe>(s.last).size() == 1);
}

TEST_CASE("of several probes each one must pass") {
  Policy policy = probed();
  policy.probes.push_back({.what = "tcp://:25"});
  Story s = on_trial(policy);
  CHECK(only<Probe>(s.last).size() == 2);
  s.happens(ProbePassed{second, 1});
  s.happens(ProbePassed{second, 1});
  CHECK(none<Switch>(s.last));
  s.happens(ProbePassed{second, 0});
  CHECK(the<Switch>(s.last).to == second);
}

TEST_CASE("the first start is probed as well, and does not live if that fails") {
  Story s(probed({.what = "tcp://:25", .fails = 1}));
  s.happens(ReloadAsked{nobody});
  s.prepared(s.policy);
  s.candidate_becomes_ready();
  CHECK(story_of(s.supervisor.status()) == "generation 1 is probed");
  s.happens(ProbeFailed{GenerationId{1}, 0, "connection refused"});
  CHECK(the<Abandon>(s.last).why == "tcp://:25: connection refused, 1 of 1 failed");
  s.everybody_exits();
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("a worker that exits while it is probed ends the reload, and its probe's word comes too late") {
  Story s = on_trial();
  s.exits(s.newest());
  CHECK(the<Abandon>(s.last).why == "exited with status 1");
  s.happens(ProbePassed{second, 0});
  CHECK(s.last.empty());
}

TEST_CASE("an abort and a stop end a candidate that is probed") {
  Story aborted = on_trial();
  aborted.happens(AbortAsked{"root"});
  CHECK(the<Abandon>(aborted.last).generation == second);
  Story stopped = on_trial();
  stopped.happens(StopAsked{nobody});
  CHECK(the<Abandon>(stopped.last).generation == second);
  stopped.happens(ProbePassed{second, 0});
  CHECK(none<Switch>(stopped.last));
}

TEST_CASE("what was probed is respawned without a probe") {
  Story s = on_trial();
  s.happens(ProbePassed{second, 0});
  s.exits(s.newest());
  s.passes(1s);
  s.candidate_becomes_ready();
  CHECK(none<Probe>(s.last));
  CHECK(s.phase() == "serving");
}

}  // namespace graced
