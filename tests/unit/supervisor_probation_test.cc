// The generation before stands by while the new one is on probation.
#include "supervisor_story.h"

namespace graced {

namespace {

Policy with_probation(unsigned workers = 1) {
  Policy p;
  p.workers = workers;
  p.probation = 10min;
  return p;
}

struct Reloaded {
  explicit Reloaded(const Policy& policy = with_probation()) : s(serving(policy)), good(s.newest()) {
    s.happens(ReloadAsked{nobody});
    s.prepared();
    s.candidate_becomes_ready();
    bad = s.newest();
  }

  Story s;
  WorkerId good;  // of slot 0, generation 1
  WorkerId bad;   // of generation 2
};

}  // namespace

TEST_CASE("with a probation the old workers stand by after the switch, and are told nothing") {
  Reloaded r;
  CHECK(the<Switch>(r.s.last).to == GenerationId{2});
  CHECK(the<Switch>(r.s.last).standby == GenerationId{1});
  CHECK(none<Drain>(r.s.last));
  CHECK(none<Retire>(r.s.last));
  CHECK(r.s.state(r.good) == "standby");
  CHECK(r.s.phase() == "serving");
  REQUIRE(r.s.supervisor.status().probation);
  CHECK(r.s.supervisor.status().probation->standby == GenerationId{1});
  CHECK(r.s.supervisor.status().probation->until == r.s.now + 10min);
}

TEST_CASE("after the first start nobody stands by") {
  const Story s = serving(with_probation());
  CHECK(!s.supervisor.status().probation);
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

TEST_CASE("once the probation is over the old workers leave as ever") {
  Reloaded r;
  r.s.passes(10min - 1ms);
  CHECK(r.s.last.empty());
  r.s.passes(1ms);
  CHECK(the<Proven>(r.s.last).generation == GenerationId{2});
  CHECK(the<Drain>(r.s.last).worker == r.good);
  CHECK(!r.s.supervisor.status().probation);
}

TEST_CASE("a worker that dies on probation brings the old ones back, and starts nobody") {
  Reloaded r;
  r.s.passes(3s);
  r.s.exits(r.bad, 3);
  CHECK(the<Switch>(r.s.last).to == GenerationId{1});
  CHECK(the<RolledBack>(r.s.last).why == "worker 0 exited with status 3");
  CHECK(none<Spawn>(r.s.last));
  CHECK(r.s.state(r.good) == "ready");
  CHECK(r.s.serving_generation() == GenerationId{1});
  CHECK(r.s.phase() == "serving");
  const auto& reload = r.s.supervisor.status().last_reload;
  CHECK(!reload->ok);
  CHECK(reload->generation == GenerationId{2});
  CHECK(reload->why == "rolled back: worker 0 exited with status 3");
  CHECK(r.s.supervisor.status().rollbacks == 1);
}

TEST_CASE("the other workers of a generation that is rolled back finish what they have") {
  Reloaded r(with_probation(2));
  const WorkerId other = r.s.newest(1);
  r.s.exits(r.bad);
  CHECK(the<Drain>(r.s.last).worker == other);
}

TEST_CASE("a worker that ended while it stood by is started again at a rollback only") {
  Reloaded r(with_probation(2));
  r.s.exits(r.good);
  CHECK(r.s.last.empty());
  r.s.happens(RollbackAsked{"root"});
  CHECK(the<Spawn>(r.s.last).generation == GenerationId{1});
  CHECK(the<Spawn>(r.s.last).slot == 0);
  CHECK(r.s.phase() == "degraded");
  r.s.happens(WorkerReady{r.s.newest()});
  CHECK(r.s.phase() == "serving");
}

TEST_CASE("when the last that stood by has ended the probation is over, which is told once") {
  Reloaded r;
  r.s.exits(r.good);
  CHECK(the<Proven>(r.s.last).alone);
  CHECK(!r.s.supervisor.status().probation);
  r.s.exits(r.bad);
  CHECK(none<Switch>(r.s.last));
  CHECK(none<Proven>(r.s.last));
}

TEST_CASE("a rollback by hand goes back to the generation that stands by") {
  Reloaded r;
  r.s.happens(RollbackAsked{"root (PID 812)"});
  CHECK(the<Switch>(r.s.last).to == GenerationId{1});
  CHECK(the<RolledBack>(r.s.last).why == "asked by root (PID 812)");
  CHECK(the<Drain>(r.s.last).worker == r.bad);
  r.s.happens(RollbackAsked{"root (PID 812)"});
  CHECK(r.s.last.empty());
}

TEST_CASE("a rollback ends the reload that runs, and one that waits is next") {
  Reloaded r;
  r.s.happens(ReloadAsked{RequestId{7}});
  r.s.happens(ReloadAsked{RequestId{8}});
  r.s.happens(RollbackAsked{"root"});
  CHECK(the<Abandon>(r.s.last).generation == GenerationId{3});
  CHECK(the<Answer>(r.s.last).to == RequestId{7});
  CHECK(the<Answer>(r.s.last).why == "generation 2 was rolled back: asked by root");
  CHECK(the<Prepare>(r.s.last).generation == GenerationId{4});
}

TEST_CASE("two bad builds in a row still fall back to the good one") {
  Reloaded r;
  r.s.passes(1min);
  r.s.reloads();
  CHECK(the<Switch>(r.s.last).standby == GenerationId{1});
  CHECK(the<Drain>(r.s.last).worker == r.bad);
  CHECK(r.s.state(r.good) == "standby");
  CHECK(r.s.supervisor.status().probation->until == r.s.now + 10min);
  r.s.exits(r.s.newest());
  CHECK(the<Switch>(r.s.last).to == GenerationId{1});
  CHECK(r.s.state(r.good) == "ready");
}

TEST_CASE("a reload that fails during a probation changes nothing of it") {
  Reloaded r;
  r.s.happens(ReloadAsked{nobody});
  r.s.prepared();
  r.s.exits(r.s.newest());
  CHECK(r.s.state(r.good) == "standby");
  CHECK(r.s.state(r.bad) == "ready");
  CHECK(r.s.supervisor.status().probation);
}

TEST_CASE("a reload that asks for no probation ends that of the one before") {
  Reloaded r;
  r.s.reloads(Policy{});
  CHECK(the<Switch>(r.s.last).standby == GenerationId{});
  CHECK(only<Drain>(r.s.last).size() == 2);
  CHECK(!r.s.supervisor.status().probation);
}

TEST_CASE("who waits until it is settled is answered when the probation is over") {
  Story s = serving(with_probation());
  s.happens(ReloadAsked{RequestId{7}, true});
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(none<Answer>(s.last));
  s.passes(10min);
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK(the<Answer>(s.last).ok);
}

TEST_CASE("who waits until it is settled hears of a rollback") {
  Story s = serving(with_probation());
  s.happens(ReloadAsked{RequestId{7}, true});
  s.prepared();
  s.candidate_becomes_ready();
  s.exits(s.newest(), 3);
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK(!the<Answer>(s.last).ok);
  CHECK(the<Answer>(s.last).why == "rolled back: worker 0 exited with status 3");
}

TEST_CASE("who does not wait is told of the probation") {
  Story s = serving(with_probation());
  s.reloads(RequestId{7});
  CHECK(the<Answer>(s.last).ok);
  CHECK(the<Answer>(s.last).why == "on probation for 10min");
}

TEST_CASE("without a probation who waits until it is settled is answered at once") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}, true});
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).ok);
  CHECK(the<Answer>(s.last).why.empty());
}

TEST_CASE("at a stop who stands by leaves with the others") {
  Reloaded r;
  r.s.happens(StopAsked{nobody});
  CHECK(only<Drain>(r.s.last).size() == 2);
  r.s.everybody_exits();
  CHECK(the<Finished>(r.s.last).exit_status == 0);
}

TEST_CASE("who stands by is not hammered, and is none of the draining generations") {
  Policy policy = with_probation();
  policy.max_draining = 1;
  Reloaded r(policy);
  r.s.reloads();
  r.s.happens(HammerAsked{});
  CHECK(r.s.state(r.good) == "standby");
  CHECK(r.s.state(r.bad) == "killed");
}

TEST_CASE("a worker that ends its work well on probation is no failure where it is not replaced") {
  Policy policy = with_probation(2);
  policy.restart = RestartRule::on_failure;
  Reloaded r(policy);
  r.s.exits(r.bad, 0);
  CHECK(none<Switch>(r.s.last));
  r.s.exits(r.s.newest(1), 1);
  CHECK(the<Switch>(r.s.last).to == GenerationId{1});
}

TEST_CASE("a worker that would not be replaced may fail on probation") {
  Policy policy = with_probation();
  policy.restart = RestartRule::never;
  Reloaded r(policy);
  r.s.exits(r.bad, 1);
  CHECK(the<Switch>(r.s.last).to == GenerationId{1});
}

}  // namespace graced
