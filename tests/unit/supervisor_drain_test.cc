// Leaving: how long it may take, and the hammer.
#include "supervisor_story.h"

namespace graced {

TEST_CASE("a worker that overstays its drain timeout is killed, once") {
  Story s = serving(Policy{.drain_timeout = 5s});
  const WorkerId old = s.newest();
  s.reloads();
  CHECK(s.deadline(old) == s.now + 5s);
  s.passes(5s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Kill>(s.last).worker == old);
  CHECK(s.last.size() == 1);
  CHECK(s.state(old) == "killed");
  CHECK(s.supervisor.next_deadline() == no_deadline);
  s.passes(1h);
  CHECK(s.last.empty());
  s.exits(old, 137);
  CHECK(s.last.empty());
  CHECK(s.state(old) == "gone");
}

TEST_CASE("a worker that leaves in time is not killed") {
  Story s = serving(Policy{.drain_timeout = 5s});
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(4s);
  s.exits(old, 0);
  s.passes(1h);
  CHECK(s.last.empty());
}

TEST_CASE("a drain timeout of zero: told to leave, killed at once") {
  Story s = serving(Policy{.drain_timeout = 0s});
  const WorkerId old = s.newest();
  s.reloads();
  CHECK(the<Drain>(s.last).worker == old);
  CHECK(s.supervisor.next_deadline() == s.now);
  s.passes(0s);
  CHECK(the<Kill>(s.last).worker == old);
}

TEST_CASE("an infinite drain timeout: a worker may stay as long as it likes, the hammer can still have it") {
  Story s = serving(Policy{.drain_timeout = infinity});
  const WorkerId old = s.newest();
  s.reloads();
  CHECK(s.deadline(old) == no_deadline);
  CHECK(s.supervisor.next_deadline() == no_deadline);
  s.passes(24h * 365);
  CHECK(s.last.empty());
  s.happens(HammerAsked{});
  CHECK(the<Kill>(s.last).worker == old);
}

TEST_CASE("an infinite ready timeout: a candidate may take as long as it likes") {
  Story s = serving(Policy{.ready_timeout = infinity});
  s.happens(ReloadAsked{nobody});
  CHECK(s.supervisor.next_deadline() == no_deadline);
  s.passes(24h * 365);
  s.prepared();
  CHECK(s.supervisor.next_deadline() == no_deadline);
  s.passes(24h * 365);
  CHECK(s.last.empty());
  s.candidate_becomes_ready();
  CHECK(s.serving_generation() == GenerationId{2});
}

TEST_CASE("a ready timeout of zero: a candidate that is not ready in the same instant is given up") {
  Story s = serving(Policy{.drain_timeout = 0s});
  s.happens(ReloadAsked{nobody});
  s.prepared(Policy{.workers = 3, .ready_timeout = 0s, .drain_timeout = 0s});
  CHECK(s.supervisor.next_deadline() == s.now);
  s.passes(0s);
  CHECK(the<Abandon>(s.last).why == "not ready within 0s");
  CHECK(only<Drain>(s.last).size() == 3);
  CHECK(only<Kill>(s.last).size() == 3);
  CHECK(s.phase() == "serving");
}

TEST_CASE("when a whole candidate is late its workers may still take their time to leave") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared(Policy{.workers = 3, .ready_timeout = 5s, .drain_timeout = 3s});
  s.passes(5s);
  CHECK(only<Drain>(s.last).size() == 3);
  CHECK(none<Kill>(s.last));
  s.passes(3s);
  CHECK(only<Kill>(s.last).size() == 3);
}

TEST_CASE("EXTEND_TIMEOUT gives a starting candidate more time") {
  Story s = serving(Policy{.ready_timeout = 5s});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.passes(4s);
  s.happens(WorkerAsksTime{s.newest(), 10s});
  CHECK(s.last.empty());
  s.passes(10s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Abandon>(s.last).generation == GenerationId{2});
}

TEST_CASE("EXTEND_TIMEOUT gives a draining worker more time") {
  Story s = serving(Policy{.drain_timeout = 5s});
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(4s);
  s.happens(WorkerAsksTime{old, 10s});
  CHECK(s.deadline(old) == s.now + 10s);
}

TEST_CASE("EXTEND_TIMEOUT never takes time away") {
  Story s = serving(Policy{.drain_timeout = 50s});
  const WorkerId old = s.newest();
  s.reloads();
  const Instant deadline = s.deadline(old);
  s.happens(WorkerAsksTime{old, 1s});
  CHECK(s.deadline(old) == deadline);
  s.happens(WorkerAsksTime{old, 0s});
  CHECK(s.deadline(old) == deadline);
}

TEST_CASE("EXTEND_TIMEOUT gives no deadline to who has none") {
  Story s = serving(Policy{.drain_timeout = 0s});
  s.happens(WorkerAsksTime{s.newest(), 1s});
  CHECK(s.supervisor.next_deadline() == no_deadline);
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(0s);
  REQUIRE(s.state(old) == "killed");
  s.happens(WorkerAsksTime{old, 1s});
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

TEST_CASE("EXTEND_TIMEOUT does not put off a worker that counts as ready after a time") {
  Story s(Policy{.ready = ReadyRule::after, .ready_after = 3s});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(WorkerAsksTime{s.newest(), 1h});
  s.passes(3s);
  CHECK(the<Switch>(s.last).to == GenerationId{1});
}

TEST_CASE("EXTEND_TIMEOUT works for a draining worker of a generation that is ready after a time") {
  Story s(Policy{.ready = ReadyRule::after, .ready_after = 3s, .drain_timeout = 5s});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.passes(3s);
  const WorkerId old = s.newest();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.passes(3s);
  REQUIRE(s.state(old) == "draining");
  s.happens(WorkerAsksTime{old, 1h});
  CHECK(s.deadline(old) == s.now + 1h);
}

TEST_CASE("the oldest draining generation is killed beyond max-draining") {
  Story s = serving(Policy{.workers = 2, .max_draining = 2});
  const WorkerId first0 = s.newest(0), first1 = s.newest(1);
  s.reloads();
  const WorkerId second0 = s.newest(0), second1 = s.newest(1);
  CHECK(none<Kill>(s.last));
  s.reloads();
  CHECK(none<Kill>(s.last));
  s.reloads();
  const std::vector<Kill> kills = only<Kill>(s.last);
  REQUIRE(kills.size() == 2);
  CHECK(kills[0].worker == first0);
  CHECK(kills[1].worker == first1);
  CHECK(s.state(second0) == "draining");

  // One that is killed but not gone yet does not count; the next oldest does.
  s.reloads();
  REQUIRE(only<Kill>(s.last).size() == 2);
  CHECK(only<Kill>(s.last)[0].worker == second0);
  CHECK(only<Kill>(s.last)[1].worker == second1);
}

TEST_CASE("a killed generation that is not gone yet does not cost an older one its place") {
  Story s = serving(Policy{.drain_timeout = infinity, .max_draining = 2});
  const WorkerId first = s.newest();
  s.reloads(Policy{.drain_timeout = 0s, .max_draining = 2});
  const WorkerId second = s.newest();
  s.reloads();
  s.passes(0s);
  REQUIRE(s.state(second) == "killed");
  s.reloads();
  CHECK(none<Kill>(s.last));
  CHECK(s.state(first) == "draining");
}

TEST_CASE("beyond max-draining nobody is killed before a second of draining") {
  Story s = serving(Policy{.drain_timeout = 60s, .max_draining = 1, .max_draining_grace = 1500ms});
  const WorkerId first = s.newest();
  s.reloads();
  s.passes(1s);
  s.reloads();
  CHECK(none<Kill>(s.last));
  CHECK(s.deadline(first) == s.now + 500ms);
  s.passes(500ms);
  CHECK(the<Kill>(s.last).worker == first);
}

TEST_CASE("who was hammered already is not killed again by max-draining") {
  Story s = serving(Policy{.workers = 2, .max_draining = 1});
  const WorkerId hammered = s.newest(0);
  s.happens(WorkerStopping{hammered});
  s.happens(HammerAsked{});
  REQUIRE(s.state(hammered) == "killed");
  const WorkerId other = s.newest(1);
  s.reloads();
  CHECK(the<Drain>(s.last).worker == other);
  s.reloads();
  CHECK(the<Kill>(s.last).worker == other);
}

TEST_CASE("a draining generation that has gone makes room") {
  Story s = serving(Policy{.max_draining = 1});
  for (int i = 0; i < 3; ++i) {
    const WorkerId old = s.newest();
    s.reloads();
    CHECK(none<Kill>(s.last));
    s.exits(old, 0);
  }
}

TEST_CASE("with max-draining 1 each reload kills the one before the last") {
  Story s = serving(Policy{.max_draining = 1});
  const WorkerId first = s.newest();
  s.reloads();
  const WorkerId second = s.newest();
  CHECK(none<Kill>(s.last));
  s.reloads();
  CHECK(the<Kill>(s.last).worker == first);
  s.reloads();
  CHECK(the<Kill>(s.last).worker == second);
}

TEST_CASE("an abandoned candidate that will not leave counts as a draining generation") {
  Story s = serving(Policy{.max_draining = 1});
  const WorkerId first = s.newest();
  s.reloads();
  const WorkerId second = s.newest();
  s.happens(ReloadAsked{nobody});
  s.prepared(Policy{.workers = 2, .max_draining = 1});
  const WorkerId candidate = s.newest(1);
  s.exits(s.newest(0));
  CHECK(the<Drain>(s.last).worker == candidate);
  CHECK(the<Kill>(s.last).worker == first);
  CHECK(s.state(candidate) == "draining");
  CHECK(s.state(second) == "ready");
}

TEST_CASE("the max-draining of the generation that serves counts") {
  Story s = serving(Policy{.max_draining = 8});
  const WorkerId first = s.newest();
  s.reloads();
  CHECK(none<Kill>(s.last));
  s.reloads(Policy{.max_draining = 1});
  CHECK(the<Kill>(s.last).worker == first);
}

TEST_CASE("a worker that leaves the serving generation by itself is not a draining generation") {
  Story s = serving(Policy{.workers = 2, .max_draining = 1});
  const WorkerId old0 = s.newest(0), old1 = s.newest(1);
  s.reloads();
  const WorkerId leaving = s.newest(0);
  s.happens(WorkerStopping{leaving});
  s.happens(ReloadAsked{nobody});
  s.happens(PreparationFailed{s.preparing, "no"});
  CHECK(none<Kill>(s.last));
  CHECK(s.state(old0) == "draining");
  CHECK(s.state(old1) == "draining");
  CHECK(s.state(leaving) == "draining");

  s.reloads();  // now it is
  CHECK(only<Kill>(s.last).size() == 2);
  CHECK(s.state(old0) == "killed");
  CHECK(s.state(old1) == "killed");
  CHECK(s.state(leaving) == "draining");
}

TEST_CASE("the hammer kills all that drains and nothing else") {
  Story s = serving(Policy{.workers = 2});
  const WorkerId first0 = s.newest(0), first1 = s.newest(1);
  s.reloads();
  const WorkerId leaving = s.newest(0), stays = s.newest(1);
  s.happens(WorkerStopping{leaving});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  const std::vector<Spawn> candidate = only<Spawn>(s.last);

  s.happens(HammerAsked{});
  CHECK(only<Kill>(s.last).size() == 3);
  CHECK(s.last.size() == 3);
  CHECK(s.state(first0) == "killed");
  CHECK(s.state(first1) == "killed");
  CHECK(s.state(leaving) == "killed");
  CHECK(s.state(stays) == "ready");
  for (const Spawn& spawn : candidate) CHECK(s.state(spawn.worker) == "starting");

  s.happens(HammerAsked{});
  CHECK(s.last.empty());
  s.passes(100ms);
  CHECK(the<Spawn>(s.last).generation == GenerationId{2});  // who left by itself is replaced all the same
}

TEST_CASE("with nothing to hammer the hammer does nothing") {
  Story s = serving();
  s.happens(HammerAsked{});
  CHECK(s.last.empty());
  CHECK(s.phase() == "serving");
}

TEST_CASE("TimePassed too early does nothing") {
  Story s = serving();
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(TimePassed{});
  CHECK(s.last.empty());
  CHECK(s.state(old) == "draining");
}

TEST_CASE("one TimePassed that comes late does all that has become due") {
  Story s = serving(Policy{.workers = 2, .ready_timeout = 5s, .drain_timeout = 3s});
  const WorkerId old0 = s.newest(0), old1 = s.newest(1);
  s.reloads();
  s.exits(s.newest(0));
  const WorkerId stays = s.newest(1);
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.now += 1h;
  s.happens(TimePassed{});
  CHECK(s.state(old0) == "killed");
  CHECK(s.state(old1) == "killed");
  CHECK(the<Spawn>(s.last).generation == GenerationId{2});
  CHECK_FALSE(the<Answer>(s.last).ok);
  CHECK(s.state(stays) == "ready");
  CHECK(s.supervisor.next_deadline() > s.now);
}

}  // namespace graced
