// The first start: a rollout with nothing to fall back on.
#include "supervisor_story.h"

namespace graced {

TEST_CASE("before anything is asked there is nothing to do") {
  Story s;
  CHECK(s.phase() == "starting");
  CHECK(s.supervisor.next_deadline() == no_deadline);
  s.happens(TimePassed{});
  CHECK(s.last.empty());
  s.happens(HammerAsked{});
  CHECK(s.last.empty());
  CHECK(s.phase() == "starting");
}

TEST_CASE("the first start prepares, spawns, and serves once the worker is ready") {
  Story s;
  s.happens(ReloadAsked{RequestId{7}});
  CHECK(the<Prepare>(s.last).generation == GenerationId{1});
  CHECK(s.last.size() == 1);
  CHECK(s.phase() == "starting");

  s.prepared();
  const Spawn spawn = the<Spawn>(s.last);
  CHECK(spawn.generation == GenerationId{1});
  CHECK(spawn.slot == 0);
  CHECK(s.last.size() == 1);
  CHECK(s.state(spawn.worker) == "starting");
  CHECK(s.phase() == "starting");

  s.happens(WorkerReady{spawn.worker});
  CHECK(the<Switch>(s.last).to == GenerationId{1});
  CHECK(none<Drain>(s.last));
  const Answer answer = the<Answer>(s.last);
  CHECK(answer.to == RequestId{7});
  CHECK(answer.ok);
  CHECK(answer.generation == GenerationId{1});
  CHECK(answer.why == "");
  CHECK(s.state(spawn.worker) == "ready");
  CHECK(s.phase() == "serving");
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

TEST_CASE("nobody is answered if nobody waits") {
  Story s = serving();
  CHECK(none<Answer>(s.last));
}

TEST_CASE("with N workers the last READY=1 makes the generation serve") {
  Story s(Policy{.workers = 3});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  const std::vector<Spawn> spawns = only<Spawn>(s.last);
  REQUIRE(spawns.size() == 3);
  for (unsigned slot = 0; slot < 3; ++slot) {
    CHECK(spawns[slot].slot == slot);
    CHECK(spawns[slot].worker == WorkerId{slot + 1});
  }

  s.happens(WorkerReady{spawns[2].worker});
  CHECK(s.last.empty());
  s.happens(WorkerReady{spawns[2].worker});  // saying it twice does not count twice
  CHECK(s.last.empty());
  s.happens(WorkerReady{spawns[0].worker});
  CHECK(s.last.empty());
  CHECK(s.phase() == "starting");
  s.happens(WorkerReady{spawns[1].worker});
  CHECK(the<Switch>(s.last).to == GenerationId{1});
  CHECK(s.serving().size() == 3);
}

TEST_CASE("a first start that cannot be prepared ends graced with the reason") {
  Story s;
  s.happens(ReloadAsked{RequestId{7}});
  s.happens(PreparationFailed{GenerationId{1}, "bind 8080: address in use"});
  REQUIRE(s.last.size() == 3);
  CHECK(the<Abandon>(s.last).generation == GenerationId{1});
  CHECK(the<Abandon>(s.last).why == "bind 8080: address in use");
  CHECK_FALSE(the<Answer>(s.last).ok);
  CHECK(the<Answer>(s.last).why == "bind 8080: address in use");
  CHECK(the<Answer>(s.last).generation == GenerationId{});
  CHECK(the<Answer>(s.last).failed == GenerationId{1});
  CHECK(the<Finished>(s.last).exit_status == 1);
  CHECK(the<Finished>(s.last).why == "bind 8080: address in use");
  CHECK(the<Finished>(s.last).failed == GenerationId{1});
  CHECK(std::holds_alternative<Finished>(s.last.back()));
  CHECK(s.phase() == "finished");
}

TEST_CASE("a first start that was asked for what cannot be had ends as wrong usage does; a reload goes on") {
  Story s;
  s.happens(ReloadAsked{nobody});
  s.happens(PreparationFailed{GenerationId{1}, "adopt=on cannot be had here", 2});
  CHECK(the<Finished>(s.last).exit_status == 2);

  Story t = serving();
  t.happens(ReloadAsked{nobody});
  t.happens(PreparationFailed{GenerationId{2}, "adopt=on cannot be had here", 2});
  CHECK(t.phase() == "serving");
}

TEST_CASE("a first start whose preparation hangs is given up at the ready timeout") {
  Story s(Policy{.ready_timeout = 5s});
  s.happens(ReloadAsked{nobody});
  s.passes(5s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Finished>(s.last).exit_status == 1);
  CHECK(the<Finished>(s.last).why == "not prepared within 5s");
}

TEST_CASE("a first worker that dies before it is ready ends graced with the reason") {
  Story s;
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(WorkerGone{s.newest(), {"exec ./app: No such file or directory", 127}});
  CHECK(the<Abandon>(s.last).why == "exec ./app: No such file or directory");
  CHECK(the<Finished>(s.last).exit_status == 1);
  CHECK(the<Finished>(s.last).why == "exec ./app: No such file or directory");
}

TEST_CASE("a first start that fails drains its other workers before graced ends") {
  Story s(Policy{.workers = 3, .drain_timeout = 50s, .stop_timeout = 20s});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  const WorkerId first = s.newest(0), second = s.newest(1), third = s.newest(2);
  s.happens(WorkerReady{first});
  s.exits(second, 3);
  CHECK(the<Abandon>(s.last).why == "worker 1 of 3: exited with status 3");
  CHECK(only<Drain>(s.last).size() == 2);
  CHECK(none<Finished>(s.last));
  CHECK(s.phase() == "stopping");
  CHECK(s.deadline(first) == s.now + 20s);

  s.exits(first, 0);
  CHECK(s.last.empty());
  s.passes(20s);
  CHECK(the<Kill>(s.last).worker == third);
  s.exits(third, 137);
  CHECK(the<Finished>(s.last).exit_status == 1);
  CHECK(the<Finished>(s.last).why == "worker 1 of 3: exited with status 3");
}

TEST_CASE("a first worker that is not ready in time is drained, and graced ends with the reason") {
  Story s(Policy{.ready_timeout = 5s, .drain_timeout = 3s});
  s.happens(ReloadAsked{nobody});
  s.passes(1s);
  s.prepared();
  s.passes(5s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Abandon>(s.last).why == "not ready within 5s");
  CHECK(the<Drain>(s.last).worker == s.newest());
  s.passes(3s);
  CHECK(the<Kill>(s.last).worker == s.newest());
  s.exits(s.newest(), 137);
  CHECK(the<Finished>(s.last).exit_status == 1);
  CHECK(the<Finished>(s.last).why == "not ready within 5s");
}

TEST_CASE("a reload asked during a first start that fails is refused, not forgotten") {
  Story s;
  s.happens(ReloadAsked{nobody});
  s.happens(ReloadAsked{RequestId{8}});
  CHECK(s.last.empty());
  CHECK(s.supervisor.status().reload_queued);
  s.happens(PreparationFailed{GenerationId{1}, "no"});
  CHECK(the<Answer>(s.last).to == RequestId{8});
  CHECK_FALSE(the<Answer>(s.last).ok);
  CHECK(the<Answer>(s.last).why == "graced is stopping");
  CHECK(the<Answer>(s.last).failed == GenerationId{});
  CHECK(the<Finished>(s.last).why == "no");
}

TEST_CASE("a reload asked during the first start runs once it serves") {
  Story s;
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.happens(ReloadAsked{RequestId{8}});
  CHECK(s.last.empty());
  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK(the<Prepare>(s.last).generation == GenerationId{2});
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(the<Answer>(s.last).to == RequestId{8});
  CHECK(s.serving_generation() == GenerationId{2});
}

TEST_CASE("nothing follows once graced has finished") {
  Story s;
  s.happens(ReloadAsked{nobody});
  s.happens(PreparationFailed{GenerationId{1}, "no"});
  REQUIRE(the<Finished>(s.last).exit_status == 1);

  s.happens(ReloadAsked{RequestId{9}});
  CHECK(s.last.empty());
  s.happens(StopAsked{RequestId{10}});
  CHECK(s.last.empty());
  s.happens(Prepared{GenerationId{1}, {}});
  CHECK(s.last.empty());
  s.happens(TimePassed{});
  CHECK(s.last.empty());
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

}  // namespace graced
