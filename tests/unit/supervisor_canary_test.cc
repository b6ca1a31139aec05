// A candidate that gets a share of the new connections before it gets all of them.
#include <algorithm>

#include "core/phase_limit.h"
#include "core/story.h"
#include "supervisor_story.h"

namespace graced {

namespace {

constexpr GenerationId first{1};
constexpr GenerationId second{2};

Policy with_canary(bool gated = false) {
  Policy p;
  p.canary = {{50, 30s}, {250, 2min}};
  p.gated = gated;
  return p;
}

// Generation 1 serves, and 2 is ready.
struct Tried {
  explicit Tried(const Policy& policy = with_canary()) : s(serving(policy)), old(s.newest()) {
    s.happens(ReloadAsked{RequestId{7}});
    s.prepared();
    s.candidate_becomes_ready();
    candidate = s.newest();
  }

  // It has ended as a canary: it gets nobody, and finishes what it has; the asker is told why.
  void has_failed(const std::string& why) {
    CHECK(the<Share>(s.last).per_mille == 0);
    CHECK(the<Abandon>(s.last).why == why);
    CHECK(std::holds_alternative<Share>(s.last.front()));
    CHECK_FALSE(the<Answer>(s.last).ok);
    CHECK(the<Answer>(s.last).why == why);
    CHECK(none<Switch>(s.last));
    CHECK(s.serving_generation() == first);
    CHECK(s.state(old) == "ready");
    CHECK_FALSE(s.supervisor.status().canary);
    CHECK(s.supervisor.status().last_reload->why == why);
  }

  Story s;
  WorkerId old;
  WorkerId candidate;
};

}  // namespace

TEST_CASE("a candidate gets each share for its time, and then everybody") {
  Tried t;
  CHECK(the<Share>(t.s.last).generation == second);
  CHECK(the<Share>(t.s.last).per_mille == 50);
  CHECK(none<Switch>(t.s.last));
  CHECK(none<Answer>(t.s.last));
  CHECK(t.s.phase() == "reloading");
  CHECK(story_of(t.s.supervisor.status()) ==
        "generation 1 serves with 1 worker, generation 2 gets 5% of new connections (step 1 of 2)");
  CHECK(phase_limit(t.s.supervisor.status(), t.s.supervisor.next_deadline()) == t.s.now + 30s);

  t.s.passes(30s - 1ms);
  CHECK(t.s.last.empty());
  t.s.passes(1ms);
  CHECK(the<Share>(t.s.last).per_mille == 250);
  CHECK(t.s.supervisor.status().canary->step == 2);
  t.s.passes(2min);
  CHECK(the<Switch>(t.s.last).to == second);
  CHECK(none<Share>(t.s.last));
  CHECK(the<Answer>(t.s.last).ok);
  CHECK(the<Drain>(t.s.last).worker == t.old);
  CHECK_FALSE(t.s.supervisor.status().canary);
}

TEST_CASE("the first start has no canary") {
  Story s(with_canary());
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(the<Switch>(s.last).to == first);
  CHECK(none<Share>(s.last));
}

TEST_CASE("a canary begins when the probes have passed") {
  Policy policy = with_canary();
  policy.probes = {{.what = "tcp://:25"}};
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared(policy);
  s.candidate_becomes_ready();
  CHECK(none<Share>(s.last));
  s.happens(ProbePassed{second, 0});
  CHECK(the<Share>(s.last).per_mille == 50);
  CHECK(s.supervisor.status().probes.empty());
}

TEST_CASE(
    "a worker of the canary that exits ends it: the others finish what they have, and are not thrown away") {
  Policy policy = with_canary();
  policy.workers = 2;
  policy.drain = DrainRule::idle;
  Tried t(policy);
  const WorkerId other = t.s.newest(1);
  t.s.exits(t.candidate, 3);
  t.has_failed("with 5% of new connections: worker 0 of 2: exited with status 3");
  CHECK(the<Retire>(t.s.last).worker == other);
  CHECK(none<Drain>(t.s.last));
  CHECK_FALSE(t.s.status(other).thrown_away);
  t.s.happens(WorkerIdle{other});
  CHECK(the<Drain>(t.s.last).worker == other);
}

TEST_CASE("what has come to a canary that exits is handed over when nobody is sent there any more") {
  Tried t;
  const auto actions = t.s.supervisor.handle(WorkerGone{t.candidate, {"exited with status 1", 1}}, t.s.now);
  REQUIRE(actions.size() >= 3);
  CHECK(std::get<Share>(actions.front()).per_mille == 0);
  const auto lost =
      std::ranges::find_if(actions, [](const Action& a) { return std::holds_alternative<Lost>(a); });
  REQUIRE(lost != actions.end());
}

TEST_CASE("a canary that fails settles where old generations do") {
  Policy policy = with_canary();
  policy.settle = 200ms;
  Tried t(policy);
  t.s.happens(AbortAsked{"root"});
  t.has_failed("with 5% of new connections: aborted by root");
  CHECK(the<Settle>(t.s.last).generation == second);
  t.s.happens(Settled{second});
  CHECK(the<Drain>(t.s.last).worker == t.candidate);
}

TEST_CASE("the gate is asked at the end of each step, and the next one waits for its word") {
  Tried t(with_canary(true));
  t.s.passes(30s);
  CHECK(the<Gate>(t.s.last).step == 1);
  CHECK(none<Share>(t.s.last));
  CHECK(t.s.supervisor.next_deadline() == no_deadline);
  CHECK_FALSE(phase_limit(t.s.supervisor.status(), t.s.supervisor.next_deadline()));
  t.s.happens(GatePassed{second, 2});  // of nobody
  CHECK(t.s.last.empty());
  t.s.passes(5s);
  t.s.happens(GatePassed{second, 1});
  CHECK(the<Share>(t.s.last).per_mille == 250);
  t.s.happens(GatePassed{second, 1});
  CHECK(t.s.last.empty());
  t.s.passes(2min);
  CHECK(the<Gate>(t.s.last).step == 2);
  t.s.happens(GatePassed{second, 2});
  CHECK(the<Switch>(t.s.last).to == second);
}

TEST_CASE("a gate that says no ends the canary") {
  Tried t(with_canary(true));
  t.s.happens(GateFailed{second, 1, "too early"});
  CHECK(t.s.last.empty());
  t.s.passes(30s);
  t.s.happens(GateFailed{second, 1, "12 errors of 300"});
  t.has_failed("with 5% of new connections: gate: 12 errors of 300");
  CHECK(the<Drain>(t.s.last).worker == t.candidate);
}

TEST_CASE("a share that cannot be had ends it as well") {
  Tried t;
  t.s.happens(ShareFailed{second, "BPF_PROG_LOAD: Cannot allocate memory"});
  t.has_failed("with 5% of new connections: BPF_PROG_LOAD: Cannot allocate memory");
}

TEST_CASE("a rollback during a canary ends that, and nothing else") {
  Policy policy = with_canary();
  policy.probation = 10min;
  Tried t(policy);
  t.s.passes(3min);
  REQUIRE(t.s.supervisor.status().probation);
  t.s.happens(ReloadAsked{RequestId{8}});
  t.s.prepared();
  t.s.candidate_becomes_ready();
  REQUIRE(t.s.supervisor.status().canary);
  t.s.happens(RollbackAsked{"root"});
  CHECK(the<Abandon>(t.s.last).why == "with 5% of new connections: rolled back, asked by root");
  CHECK(t.s.serving_generation() == second);
  CHECK(t.s.supervisor.status().probation);
  CHECK(t.s.supervisor.status().rollbacks == 0);
}

TEST_CASE("a serving generation that is rolled back takes the canary with it") {
  Policy policy = with_canary();
  policy.probation = 10min;
  Tried t(policy);
  t.s.passes(3min);
  t.s.happens(ReloadAsked{RequestId{8}});
  t.s.prepared();
  t.s.candidate_becomes_ready();
  t.s.exits(t.candidate);
  CHECK(the<Switch>(t.s.last).to == first);
  CHECK(the<Share>(t.s.last).per_mille == 0);
  CHECK(the<Abandon>(t.s.last).generation == GenerationId{3});
}

TEST_CASE("after the canary comes the probation, and the asker hears of it") {
  Policy policy = with_canary();
  policy.probation = 10min;
  Tried t(policy);
  t.s.passes(3min);
  CHECK(t.s.supervisor.status().probation->standby == first);
}

TEST_CASE("a stop ends the canary with all others, and its workers have the time of a stop") {
  Policy policy = with_canary();
  policy.settle = 200ms;
  policy.stop_timeout = 5s;
  Tried t(policy);
  t.s.happens(StopAsked{nobody});
  CHECK(the<Abandon>(t.s.last).why == "graced is stopping");
  CHECK(only<Drain>(t.s.last).size() == 2);
  CHECK(t.s.deadline(t.candidate) == t.s.now + 5s);
  t.s.everybody_exits();
  CHECK(the<Finished>(t.s.last).exit_status == 0);
}

TEST_CASE("another reload waits until the canary is over") {
  Tried t;
  t.s.happens(ReloadAsked{RequestId{8}});
  CHECK(t.s.last.empty());
  CHECK(t.s.supervisor.status().reload_queued);
  t.s.passes(3min);
  CHECK(the<Switch>(t.s.last).to == second);
  CHECK(the<Prepare>(t.s.last).generation == GenerationId{3});
}

TEST_CASE("a serving worker that exits is replaced, and the canary goes on") {
  Tried t;
  t.s.exits(t.old);
  CHECK(none<Share>(t.s.last));
  t.s.passes(1s);
  CHECK(only<Spawn>(t.s.last).size() == 1);
  CHECK(the<Spawn>(t.s.last).generation == first);
  CHECK(t.s.supervisor.status().canary);
}

TEST_CASE("where nobody serves any more the canary gets everybody") {
  Policy policy = with_canary();
  policy.restart = RestartRule::never;
  Tried t(policy);
  t.s.exits(t.old, 0);
  CHECK(the<Switch>(t.s.last).to == second);
  CHECK(t.s.phase() == "serving");
}

TEST_CASE("where nobody serves there is no canary") {
  Story s = serving(with_canary());
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.exits(s.serving().front());
  s.candidate_becomes_ready();
  CHECK(the<Switch>(s.last).to == second);
}

}  // namespace graced
