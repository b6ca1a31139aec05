// A rollback by hand to a generation that leaves, and has been told nothing yet.
#include "supervisor_story.h"

namespace graced {

namespace {

Policy idle(unsigned workers = 1) {
  Policy p;
  p.workers = workers;
  p.drain = DrainRule::idle;
  return p;
}

constexpr GenerationId first{1};
constexpr GenerationId second{2};

Story reloaded(const Policy& policy = idle()) {
  Story s = serving(policy);
  s.reloads();
  return s;
}

}  // namespace

TEST_CASE("a generation that retires serves again when somebody asks for it, and no process is started") {
  Story s = serving(idle());
  const WorkerId old = s.newest();
  s.reloads();
  const WorkerId newer = s.newest();
  CHECK(s.state(old) == "retiring");
  CHECK(s.supervisor.status().rollback_to == first);
  s.happens(RollbackAsked{"root"});
  CHECK(the<Return>(s.last).worker == old);
  CHECK(the<Switch>(s.last).to == first);
  CHECK(the<RolledBack>(s.last).why == "asked by root");
  CHECK(none<Spawn>(s.last));
  CHECK(the<Retire>(s.last).worker == newer);
  CHECK(s.state(old) == "ready");
  CHECK(s.deadline(old) == no_deadline);
  CHECK(s.killed_at(old) == no_deadline);
  CHECK(s.serving_generation() == first);
  CHECK(s.supervisor.status().rollbacks == 1);
  CHECK(!s.supervisor.status().last_reload->ok);
}

TEST_CASE("to and fro, each time to the one that served before") {
  Story s = reloaded();
  for (int times = 0; times < 5; ++times) {
    s.happens(RollbackAsked{"root"});
    CHECK(s.serving_generation() == first);
    s.happens(RollbackAsked{"root"});
    CHECK(s.serving_generation() == second);
  }
}

TEST_CASE("one that settles serves again as well") {
  Policy policy;
  policy.settle = 200ms;
  Story s = reloaded(policy);
  const WorkerId old = s.supervisor.status().workers.front().worker;
  CHECK(s.state(old) == "settling");
  s.happens(RollbackAsked{"root"});
  CHECK(s.state(old) == "ready");
  s.happens(Settled{first});
  CHECK(s.state(old) == "ready");
}

TEST_CASE("once one of its workers was told it is too late") {
  Story s = reloaded(idle(2));
  s.happens(WorkerIdle{s.supervisor.status().workers.front().worker});
  CHECK(!s.supervisor.status().rollback_to);
  s.happens(RollbackAsked{"root"});
  CHECK(s.last.empty());
  CHECK(s.serving_generation() == second);
}

TEST_CASE("nor is there a way back to one that drains by signal, or is gone, or while graced stops") {
  Story signalled = reloaded(Policy{});
  CHECK(!signalled.supervisor.status().rollback_to);
  Story gone = reloaded();
  gone.exits(gone.supervisor.status().workers.front().worker, 0);
  CHECK(!gone.supervisor.status().rollback_to);
  gone.happens(RollbackAsked{"root"});
  CHECK(gone.last.empty());
  Story stopped = reloaded();
  stopped.happens(StopAsked{nobody});
  CHECK(!stopped.supervisor.status().rollback_to);
}

TEST_CASE("who has ended meanwhile, or was not ready, is started anew") {
  Policy policy = idle(3);
  Story s = serving(policy);
  const WorkerId ends = s.newest(0);
  s.exits(s.newest(1));
  s.passes(100ms);
  const WorkerId unready = s.newest(1);
  s.reloads();
  s.exits(ends, 0);
  s.happens(RollbackAsked{"root"});
  CHECK(only<Return>(s.last).size() == 1);
  CHECK(only<Spawn>(s.last).size() == 2);
  CHECK(s.state(unready) == "retiring");
  CHECK(s.phase() == "degraded");
  for (const Spawn& spawn : only<Spawn>(s.last)) s.happens(WorkerReady{spawn.worker});
  CHECK(s.phase() == "serving");
}

TEST_CASE("only the last one that served comes back, not one that retires from before") {
  Story s = reloaded();
  s.reloads();
  CHECK(s.supervisor.status().rollback_to == second);
  s.happens(RollbackAsked{"root"});
  CHECK(s.serving_generation() == second);
}

TEST_CASE("a rollback ends the reload that runs") {
  Story s = reloaded();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.happens(RollbackAsked{"root"});
  CHECK(the<Abandon>(s.last).generation == GenerationId{3});
  CHECK(!the<Answer>(s.last).ok);
  CHECK(s.serving_generation() == first);
}

TEST_CASE("with nobody to go back to the reload that runs goes on") {
  Story s = serving(idle());
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.happens(RollbackAsked{"root"});
  CHECK(s.last.empty());
}

TEST_CASE("a replacement is not the way back: that is the build before") {
  Policy policy = idle();
  policy.probes = {{.what = "tcp://a:1", .fails = 1, .while_serving = 1s}};
  Story s = serving(idle());
  s.happens(ReloadAsked{nobody});
  s.prepared(policy);
  s.candidate_becomes_ready();
  s.happens(ProbePassed{second, 0});
  s.passes(1s);
  s.happens(ProbeFailed{second, 0, "connection refused"});
  s.passes(100ms);
  s.prepared();
  s.candidate_becomes_ready();
  s.happens(ProbePassed{GenerationId{3}, 0});
  REQUIRE(s.serving_generation() == GenerationId{3});
  CHECK(s.supervisor.status().rollback_to == first);
}

}  // namespace graced
