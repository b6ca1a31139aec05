// A serving worker that exits by itself: replaced, later each time, and given up at the start limit.
#include "supervisor_story.h"

namespace graced {

namespace {

// Patient enough that the start limit plays no part.
Policy persistent(Policy p = {}) {
  p.start_limit = 1000;
  return p;
}

// The newest worker of the slot exits; how long until it is replaced?
Duration replacement_delay(Story& s, unsigned slot = 0) {
  const Instant gone = s.now;
  s.exits(s.newest(slot));
  REQUIRE(none<Spawn>(s.last));
  s.passes(s.supervisor.next_deadline() - s.now);
  REQUIRE(the<Spawn>(s.last).slot == slot);
  return s.now - gone;
}

}  // namespace

TEST_CASE("a serving worker that exits is replaced in its slot, after the restart delay") {
  Story s = serving(Policy{.workers = 3});
  const WorkerId first = s.newest(0), third = s.newest(2);
  s.exits(s.newest(1));
  CHECK(s.last.empty());
  CHECK(s.supervisor.next_deadline() == s.now + 100ms);
  s.passes(100ms - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  const Spawn spawn = the<Spawn>(s.last);
  CHECK(spawn.slot == 1);
  CHECK(spawn.generation == GenerationId{1});
  CHECK(spawn.worker == WorkerId{4});
  s.happens(WorkerReady{spawn.worker});
  CHECK(s.last.empty());  // it joins, nothing is switched
  CHECK(s.serving() == std::vector{first, third, spawn.worker});
  CHECK(s.supervisor.status().restarts == 1);
}

TEST_CASE("the restart delay doubles each time, up to its limit") {
  Story s = serving(persistent(Policy{.restart_delay = 100ms, .restart_delay_limit = 1s}));
  for (const Duration expected : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    CHECK(replacement_delay(s) == expected);
    s.happens(WorkerReady{s.newest()});
  }
}

TEST_CASE("by default the delay ends at half a minute") {
  Story s = serving(persistent());
  Duration delay{};
  for (int i = 0; i < 20; ++i) delay = replacement_delay(s);
  CHECK(delay == 30s);
}

TEST_CASE("a restart delay longer than the limit stays as it was asked for") {
  Story s = serving(persistent(Policy{.restart_delay = 1min}));
  CHECK(replacement_delay(s) == 1min);
  CHECK(replacement_delay(s) == 1min);
}

TEST_CASE("without a restart delay a worker is replaced at once, every time") {
  Story s = serving(persistent(Policy{.restart_delay = 0s}));
  for (int i = 0; i < 5; ++i) CHECK(replacement_delay(s) == 0s);
}

TEST_CASE("with an infinite restart delay a worker is never replaced, and graced goes on") {
  Story s = serving(Policy{.restart_delay = infinity});
  for (int i = 0; i < 3; ++i) {
    s.exits(s.newest());
    s.passes(24h);
    CHECK(s.last.empty());
    CHECK(s.phase() == "down");
    s.reloads();
    CHECK(s.phase() == "serving");
  }
}

TEST_CASE("a worker that dies while starting doubles the delay like any other") {
  Story s = serving(persistent());
  CHECK(replacement_delay(s) == 100ms);
  CHECK(replacement_delay(s) == 200ms);  // never became ready
  s.passes(20s);                         // nor does a long start count as service
  CHECK(replacement_delay(s) == 400ms);
}

TEST_CASE("a worker that has served for 10 s starts over with the shortest delay") {
  Story s = serving(persistent());
  s.passes(1h);
  CHECK(replacement_delay(s) == 100ms);
  s.happens(WorkerReady{s.newest()});
  s.passes(10s - 1ns);
  CHECK(replacement_delay(s) == 200ms);
  s.happens(WorkerReady{s.newest()});
  s.passes(10s);
  CHECK(replacement_delay(s) == 100ms);
  s.happens(WorkerReady{s.newest()});
  CHECK(replacement_delay(s) == 200ms);
}

TEST_CASE("each slot has its own delay") {
  Story s = serving(persistent(Policy{.workers = 2}));
  CHECK(replacement_delay(s, 0) == 100ms);
  CHECK(replacement_delay(s, 0) == 200ms);
  CHECK(replacement_delay(s, 1) == 100ms);
  CHECK(replacement_delay(s, 0) == 400ms);
  CHECK(replacement_delay(s, 1) == 200ms);
}

TEST_CASE("a reload that succeeds starts over with the delays") {
  Story s = serving(persistent());
  CHECK(replacement_delay(s) == 100ms);
  CHECK(replacement_delay(s) == 200ms);
  s.reloads();
  CHECK(replacement_delay(s) == 100ms);
}

TEST_CASE("a reload that fails does not start over with the delays") {
  Story s = serving(persistent());
  CHECK(replacement_delay(s) == 100ms);
  s.happens(ReloadAsked{nobody});
  s.happens(PreparationFailed{s.preparing, "no"});
  CHECK(replacement_delay(s) == 200ms);
}

TEST_CASE("more unexpected exits than the start limit, and graced gives up with the reason") {
  Story s = serving(Policy{.start_limit = 3, .start_limit_window = 60s});
  for (int i = 0; i < 3; ++i) replacement_delay(s);
  s.happens(WorkerGone{s.newest(), {"killed by SIGSEGV", 139}});
  CHECK(the<Finished>(s.last).exit_status == 1);
  CHECK(the<Finished>(s.last).why ==
        "4 unexpected exits within 1min, giving up; the last worker killed by SIGSEGV");
  CHECK(s.phase() == "finished");
}

TEST_CASE("with a start limit of 0 the first unexpected exit is one too many") {
  Story s = serving(Policy{.start_limit = 0});
  s.exits(s.newest());
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("with a start limit over no time at all graced never gives up") {
  Story s = serving(Policy{.start_limit = 2, .start_limit_window = 0s});
  for (int i = 0; i < 50; ++i) replacement_delay(s);
  CHECK(s.phase() == "down");
}

TEST_CASE("exits in all slots count, and giving up drains those that still serve") {
  Story s = serving(Policy{.workers = 3, .stop_timeout = 5s, .start_limit = 1});
  const WorkerId survivor = s.newest(2);
  s.exits(s.newest(0));
  s.exits(s.newest(1));
  CHECK(the<Drain>(s.last).worker == survivor);
  CHECK(none<Finished>(s.last));
  CHECK(s.phase() == "stopping");
  CHECK(s.supervisor.next_deadline() == s.now + 5s);  // nobody is replaced any more
  s.passes(5s);
  CHECK(the<Kill>(s.last).worker == survivor);
  s.exits(survivor, 137);
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("exits that are long past do not count: the window slides") {
  Story s = serving(Policy{.restart_delay = 0s, .start_limit = 2, .start_limit_window = 60s});
  const auto exits_after = [&](Duration d) {
    s.passes(d);
    s.exits(s.newest());
    s.passes(0s);
    s.happens(WorkerReady{s.newest()});
  };
  exits_after(0s);   // at 0 s
  exits_after(30s);  // at 30 s
  exits_after(30s);  // at 60 s: the first is just out
  CHECK(s.phase() == "serving");
  exits_after(30s);  // at 90 s: so is the second
  CHECK(s.phase() == "serving");
  exits_after(30s - 1ns);  // the one at 60 s is still in
  CHECK(s.phase() == "finished");
}

TEST_CASE("graced does not give up while a candidate is on trial, which may be the cure") {
  Story s = serving(Policy{.start_limit = 2});
  replacement_delay(s);
  replacement_delay(s);
  const WorkerId broken = s.newest();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  const WorkerId candidate = s.newest();
  s.exits(broken);
  CHECK(s.last.empty());
  CHECK(s.phase() == "down");
  s.passes(400ms);
  const WorkerId again = the<Spawn>(s.last).worker;

  SUBCASE("it is the cure") {
    s.happens(WorkerReady{candidate});
    CHECK(s.phase() == "serving");
    s.exits(again);
    for (int i = 0; i < 2; ++i) {
      s.exits(s.serving().front());
      s.passes(1s);
      REQUIRE(only<Spawn>(s.last).size() == 1);
    }
    CHECK(s.phase() == "down");  // and not finished: the old one's exits are not held against it
  }
  SUBCASE("it is not") {
    s.exits(candidate);
    CHECK(s.phase() == "down");  // and not finished: the old one has another chance
    s.exits(again);
    CHECK(the<Finished>(s.last).exit_status == 1);
  }
}

TEST_CASE("a worker that drains may exit as it likes") {
  Story s = serving(Policy{.start_limit = 0});
  const WorkerId old = s.newest();
  s.reloads();
  s.exits(old, 1);
  CHECK(s.last.empty());
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

TEST_CASE("restart never: graced ends with the worker's own status") {
  Story s = serving(Policy{.restart = RestartRule::never});
  s.happens(WorkerGone{s.newest(), {"killed by SIGKILL", 137}});
  CHECK(the<Finished>(s.last).exit_status == 137);
  CHECK(the<Finished>(s.last).why == "the last worker killed by SIGKILL");
}

TEST_CASE("restart never: also of a worker that ends before it is ready") {
  Story s(Policy{.restart = RestartRule::never});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.exits(s.newest(), 3);
  CHECK(the<Finished>(s.last).exit_status == 3);
}

TEST_CASE("restart never: the last worker decides") {
  Story s = serving(Policy{.workers = 2, .restart = RestartRule::never});
  s.exits(s.newest(1), 3);
  CHECK(s.last.empty());
  CHECK(s.supervisor.next_deadline() == no_deadline);
  CHECK(s.serving().size() == 1);
  s.exits(s.newest(0), 0);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("graced does not give up while a reload is queued, which may be the cure") {
  Story s = serving(Policy{.start_limit = 0});
  const WorkerId first = s.newest();
  s.happens(ReloadAsked{nobody});
  s.happens(ReloadAsked{nobody});
  s.happens(ReloadAsked{nobody});  // a burst: it waits for the quiet
  s.prepared();
  s.happens(WorkerReady{s.newest()});
  s.exits(first);
  REQUIRE(s.supervisor.status().reload_queued);
  s.exits(s.newest());
  CHECK(s.phase() == "down");
  s.passes(burst_quiet);
  CHECK(only<Prepare>(s.last).size() == 1);
}

TEST_CASE("restart never: with a candidate on trial graced waits for how that ends") {
  Story s = serving(Policy{.restart = RestartRule::never});
  const WorkerId old = s.newest();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.exits(old, 3);
  CHECK(s.last.empty());
  CHECK(s.phase() == "down");

  SUBCASE("well") {
    s.happens(WorkerReady{s.newest()});
    CHECK(the<Answer>(s.last).ok);
    CHECK(s.phase() == "serving");
  }
  SUBCASE("badly") {
    s.exits(s.newest(), 1);
    CHECK_FALSE(the<Answer>(s.last).ok);
    CHECK(the<Finished>(s.last).exit_status == 3);
    CHECK(the<Finished>(s.last).why == "the last worker exited with status 3");
  }
}

TEST_CASE("restart never: with a reload queued graced waits for that") {
  Story s = serving(Policy{.restart = RestartRule::never});
  const WorkerId old = s.newest();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(ReloadAsked{nobody});
  s.happens(ReloadAsked{nobody});
  s.exits(old, 3);
  s.exits(s.newest(), 1);
  CHECK(none<Finished>(s.last));
  s.passes(20ms);
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
  s.prepared();
  s.candidate_becomes_ready();
  CHECK(s.serving_generation() == GenerationId{3});
}

TEST_CASE("restart on-failure: a failure is replaced, a success is not") {
  Story s = serving(Policy{.workers = 2, .restart = RestartRule::on_failure});
  s.exits(s.newest(0), 1);
  s.passes(1s);
  CHECK(the<Spawn>(s.last).slot == 0);
  s.happens(WorkerReady{s.newest(0)});
  s.exits(s.newest(1), 0);
  s.passes(1h);
  CHECK(s.last.empty());
  CHECK(s.serving().size() == 1);
  s.exits(s.newest(0), 0);
  CHECK(the<Finished>(s.last).exit_status == 0);
  CHECK(the<Finished>(s.last).why == "the last worker exited with status 0");
}

TEST_CASE("restart on-failure: graced does not end while a failed worker waits for its replacement") {
  Story s = serving(Policy{.workers = 2, .restart = RestartRule::on_failure});
  s.exits(s.newest(0), 1);
  s.exits(s.newest(1), 0);
  CHECK(s.last.empty());
  s.passes(100ms);
  CHECK(the<Spawn>(s.last).slot == 0);
}

TEST_CASE("restart on-failure: successes do not count towards the start limit") {
  Story s = serving(Policy{.workers = 3, .restart = RestartRule::on_failure, .start_limit = 0});
  s.exits(s.newest(0), 0);
  s.exits(s.newest(1), 0);
  CHECK(s.last.empty());
  s.exits(s.newest(2), 1);
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("a replacement that is not ready in time is drained, and the next one tried") {
  Story s = serving(Policy{.ready_timeout = 5s, .drain_timeout = 50s});
  replacement_delay(s);
  const WorkerId late = s.newest();
  s.passes(5s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Drain>(s.last).worker == late);
  CHECK(s.deadline(late) == s.now + 50s);
  CHECK(none<Abandon>(s.last));
  s.passes(200ms);
  CHECK(the<Spawn>(s.last).slot == 0);
  s.happens(WorkerReady{s.newest()});
  s.happens(WorkerReady{late});
  CHECK(s.serving() == std::vector{s.newest()});
  CHECK(s.state(late) == "draining");
  s.exits(late, 0);
  CHECK(s.last.empty());
}

TEST_CASE("restart on-failure: a replacement that is not ready in time has failed, however it ends") {
  Story s = serving(Policy{.ready_timeout = 5s, .restart = RestartRule::on_failure});
  replacement_delay(s);
  s.passes(5s);
  CHECK(s.supervisor.status().next_restart == s.now + 200ms);
  s.exits(s.newest(), 0);
  s.passes(200ms);
  CHECK(the<Spawn>(s.last).slot == 0);
}

TEST_CASE("restart on-failure: the last worker decides though a late one has not left yet") {
  Story s = serving(Policy{.ready_timeout = 5s, .restart = RestartRule::on_failure});
  replacement_delay(s);
  const WorkerId late = s.newest();
  s.passes(5s + 200ms);
  REQUIRE(s.state(late) == "draining");
  s.happens(WorkerReady{s.newest()});
  s.exits(s.newest(), 0);
  CHECK(s.phase() == "stopping");
  s.exits(late, 1);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("replacements that are never ready in time reach the start limit") {
  Story s = serving(Policy{.ready_timeout = 1s, .start_limit = 1});
  replacement_delay(s);
  s.passes(1s);
  CHECK(s.phase() == "stopping");
  s.exits(s.newest(), 0);
  CHECK(the<Finished>(s.last).exit_status == 1);
  CHECK(the<Finished>(s.last).why ==
        "2 unexpected exits within 5min, giving up; the last worker was not ready within 1s");
}

TEST_CASE("a worker that says STOPPING=1 leaves, and its replacement need not wait for that") {
  Story s = serving(Policy{.drain_timeout = 50s});
  const WorkerId leaving = s.newest();
  s.passes(10s);
  s.happens(WorkerStopping{leaving});
  CHECK(s.last.empty());  // it knows already
  CHECK(s.state(leaving) == "draining");
  CHECK(s.deadline(leaving) == s.now + 50s);
  s.passes(100ms);
  CHECK(the<Spawn>(s.last).slot == 0);
  s.happens(WorkerReady{s.newest()});
  CHECK(s.serving() == std::vector{s.newest()});

  SUBCASE("it goes") {
    s.exits(leaving, 0);
    CHECK(s.last.empty());
    s.passes(1h);
    CHECK(s.last.empty());  // replaced once
  }
  SUBCASE("it stays too long") {
    s.passes(50s - 100ms);
    CHECK(the<Kill>(s.last).worker == leaving);
  }
  SUBCASE("it says it again") {
    s.happens(WorkerStopping{leaving});
    s.passes(1s);
    CHECK(s.last.empty());
  }
}

TEST_CASE("STOPPING=1 counts as an exit for the delay and the start limit") {
  Story s = serving(Policy{.start_limit = 1});
  s.happens(WorkerStopping{s.newest()});
  s.passes(100ms);
  s.happens(WorkerReady{s.newest()});
  s.happens(WorkerStopping{s.newest()});
  CHECK(s.phase() == "stopping");
  CHECK(none<Drain>(s.last));  // both leave by themselves
  s.everybody_exits();
  CHECK(the<Finished>(s.last).exit_status == 1);
  CHECK(the<Finished>(s.last).why ==
        "2 unexpected exits within 5min, giving up; the last worker said STOPPING=1");
}

TEST_CASE("STOPPING=1 of a worker that is not to be replaced in any case: how it ends decides") {
  Policy policy;
  SUBCASE("never") {
    policy.restart = RestartRule::never;
  }
  SUBCASE("on-failure") {
    policy.restart = RestartRule::on_failure;
  }
  Story s = serving(policy);
  s.happens(WorkerStopping{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "ready");
  CHECK(s.supervisor.next_deadline() == no_deadline);
  s.exits(s.newest(), 0);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("STOPPING=1 of a candidate or of a worker that is starting changes nothing yet") {
  Story s = serving(Policy{.workers = 2});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(WorkerStopping{s.newest(0)});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest(0)) == "starting");
  s.happens(WorkerReady{s.newest(0)});
  s.happens(WorkerStopping{s.newest(0)});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest(0)) == "ready");
  CHECK(s.phase() == "reloading");
}

TEST_CASE("STOPPING=1 of a replacement that is still starting changes nothing: it is ready or it is not") {
  Story s = serving();
  replacement_delay(s);
  s.happens(WorkerStopping{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "starting");
  CHECK(s.supervisor.status().next_restart == std::nullopt);
}

TEST_CASE("a worker that has served for 10 s before STOPPING=1 is replaced after the shortest delay") {
  Story s = serving();
  replacement_delay(s);
  s.happens(WorkerReady{s.newest()});
  s.passes(10s);
  s.happens(WorkerStopping{s.newest()});
  CHECK(s.supervisor.status().next_restart == s.now + 100ms);
  s.passes(100ms);
  s.happens(WorkerReady{s.newest()});
  s.happens(WorkerStopping{s.newest()});
  CHECK(s.supervisor.status().next_restart == s.now + 200ms);
}

TEST_CASE("a reload while a worker leaves by itself does not tell it to leave again") {
  Story s = serving();
  const WorkerId leaving = s.newest();
  s.happens(WorkerStopping{leaving});
  s.reloads();
  CHECK(none<Drain>(s.last));
  CHECK(s.state(leaving) == "draining");
}

TEST_CASE("what a worker listened on is kept only for one that follows") {
  SUBCASE("a crash is followed") {
    Story s = serving();
    const WorkerId worker = s.newest();
    s.exits(worker);
    CHECK(s.lost.at(0).worker == worker);
    CHECK(s.lost.at(0).replaced);
  }
  SUBCASE("nobody follows a clean exit on --restart on-failure, nor any on never") {
    for (const RestartRule rule : {RestartRule::on_failure, RestartRule::never}) {
      Story s = serving(Policy{.workers = 2, .restart = rule});
      s.exits(s.newest(0), 0);
      CHECK_FALSE(s.lost.at(0).replaced);
      CHECK(s.phase() == "degraded");
    }
  }
  SUBCASE("one that says STOPPING=1 and is gone before its replacement was started") {
    Story s = serving();
    const WorkerId worker = s.newest();
    s.happens(WorkerStopping{worker});
    s.exits(worker, 0);
    CHECK(s.lost.at(0).replaced);
  }
  SUBCASE("an old generation's is not") {
    Story s = serving();
    const WorkerId old = s.newest();
    s.reloads();
    s.exits(old, 0);
    CHECK_FALSE(s.lost.at(0).replaced);
  }
  SUBCASE("the replacement that graced gives up") {
    Story s = serving(Policy{.start_limit = 0});
    s.exits(s.newest());
    CHECK_FALSE(s.lost.at(0).replaced);
  }
  SUBCASE("the replacement never comes, as graced stops before") {
    Story s = serving(Policy{.workers = 2});
    const WorkerId worker = s.newest(0);
    s.exits(worker);
    s.happens(StopAsked{nobody});
    CHECK(s.lost.at(0).worker == worker);
    CHECK_FALSE(s.lost.at(0).replaced);
  }
}

}  // namespace graced
