// A worker whose process ends before what it has started: a server below a shell, a forking server, a helper.
#include "supervisor_story.h"

namespace graced {

namespace {

WorkerGone leaving_others(WorkerId worker, int status = 0) {
  return {worker, {"exited", status}, true};
}

}  // namespace

TEST_CASE("a server below a shell that dies of the drain signal gets that signal, and the time that is left") {
  Story s = serving(Policy{.drain_timeout = 60s});
  const WorkerId shell = s.newest();
  s.reloads();
  s.passes(10s);
  s.happens(leaving_others(shell));
  CHECK(the<DrainRest>(s.last).worker == shell);
  CHECK(s.lost.empty());
  CHECK(s.state(shell) == "draining");
  CHECK(s.deadline(shell) == s.now + 50s);
  SUBCASE("it finishes in time") {
    s.happens(TreeGone{shell});
    CHECK(s.last.empty());
    CHECK(s.lost.at(0).worker == shell);
    CHECK(s.state(shell) == "gone");
  }
  SUBCASE("or is hammered at the deadline, and remembered until it is gone") {
    s.passes(50s);
    CHECK(the<Kill>(s.last).worker == shell);
    CHECK(s.state(shell) == "killed");
    s.happens(TreeGone{shell});
    CHECK(s.state(shell) == "gone");
  }
}

TEST_CASE("a retired worker whose process ends by itself waits for the connections of what it has started") {
  Story s = serving(Policy{.drain = DrainRule::idle});
  const WorkerId old = s.newest();
  s.reloads();
  REQUIRE(s.state(old) == "retiring");
  const Instant deadline = s.deadline(old);
  s.happens(leaving_others(old));
  CHECK(s.last.empty());
  CHECK(s.state(old) == "retiring");
  CHECK(s.deadline(old) == deadline);
  s.happens(WorkerIdle{old});
  CHECK(the<Drain>(s.last).worker == old);
  s.happens(TreeGone{old});
  CHECK(s.state(old) == "gone");
}

TEST_CASE("a stop waits for all that a worker has started, and a second stop does not") {
  Story s = serving(Policy{.stop_timeout = 30s});
  const WorkerId worker = s.newest();
  s.happens(StopAsked{RequestId{1}});
  s.happens(leaving_others(worker));
  CHECK(the<DrainRest>(s.last).worker == worker);
  CHECK(s.deadline(worker) == s.now + 30s);
  SUBCASE("it waits") {
    s.happens(TreeGone{worker});
    CHECK(the<Answer>(s.last).to == RequestId{1});
    CHECK(the<Finished>(s.last).exit_status == 0);
  }
  SUBCASE("the second one hammers") {
    s.happens(StopAsked{nobody});
    CHECK(the<Kill>(s.last).worker == worker);
    CHECK(none<Finished>(s.last));
    s.happens(TreeGone{worker});
    CHECK(the<Finished>(s.last).exit_status == 0);
  }
}

TEST_CASE("a serving worker whose process dies is replaced at once, and what it left finishes meanwhile") {
  Story s = serving(Policy{.drain_timeout = 60s, .restart_delay = 100ms});
  const WorkerId worker = s.newest();
  s.happens(leaving_others(worker, 137));
  CHECK(the<DrainRest>(s.last).worker == worker);
  CHECK(s.deadline(worker) == s.now + 60s);
  s.passes(100ms);
  CHECK(the<Spawn>(s.last).slot == 0);
  s.happens(WorkerReady{s.newest()});
  s.happens(TreeGone{worker});
  CHECK(s.lost.at(0).replaced);
  CHECK(s.serving() == std::vector{s.newest()});
  CHECK(s.supervisor.status().restarts == 1);
}

TEST_CASE("a candidate whose process dies has failed, and what it left is drained") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{3}});
  s.prepared();
  const WorkerId candidate = s.newest();
  s.happens(leaving_others(candidate, 1));
  CHECK_FALSE(the<Answer>(s.last).ok);
  CHECK(the<DrainRest>(s.last).worker == candidate);
  CHECK(none<Drain>(s.last));
  CHECK(s.state(candidate) == "draining");
  s.happens(TreeGone{candidate});
  CHECK_FALSE(s.lost.at(0).replaced);
}

TEST_CASE("with --restart never the status is the process's own, once all that it started is gone") {
  Story s = serving(Policy{.restart = RestartRule::never});
  const WorkerId worker = s.newest();
  s.happens(leaving_others(worker, 7));
  CHECK(the<DrainRest>(s.last).worker == worker);
  CHECK(none<Finished>(s.last));
  CHECK(s.phase() == "stopping");
  CHECK(s.deadline(worker) == s.now + 30s);
  s.happens(TreeGone{worker});
  CHECK(the<Finished>(s.last).exit_status == 7);
}

TEST_CASE("what is left of a worker counts among the draining generations") {
  Story s = serving(Policy{.max_draining = 1});
  const WorkerId first = s.newest();
  s.reloads();
  s.happens(leaving_others(first));
  const WorkerId second = s.newest();
  s.reloads();
  CHECK(s.state(first) == "killed");
  CHECK(s.state(second) == "draining");
}

TEST_CASE("the hammer does not spare what a worker has left, and it asks for more time as a worker does") {
  Story s = serving();
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(leaving_others(old));
  s.happens(WorkerAsksTime{old, 2min});
  CHECK(s.deadline(old) == s.now + 2min);
  s.happens(HammerAsked{});
  CHECK(the<Kill>(s.last).worker == old);
}

TEST_CASE("a tree that is gone before its worker's process is nothing") {
  Story s = serving();
  s.happens(TreeGone{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "ready");
}

TEST_CASE("what is kept for a replacement that a stop prevents is given up, whoever it was kept from") {
  Story s = serving();
  const WorkerId first = s.newest();
  s.happens(WorkerGone{first, {"killed by SIGKILL", 137}, true});
  s.passes(1s);
  const WorkerId second = s.newest();
  REQUIRE(second != first);
  s.happens(WorkerReady{second});
  s.happens(WorkerStopping{second});  // and will have a replacement as well
  s.happens(TreeGone{first});
  REQUIRE(s.lost.size() == 1);
  CHECK(s.lost.front().replaced);

  s.happens(StopAsked{nobody});
  REQUIRE(s.lost.size() == 1);
  CHECK(s.lost.front().worker == first);
  CHECK_FALSE(s.lost.front().replaced);
}

}  // namespace graced
