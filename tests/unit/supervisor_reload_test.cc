// A reload is a transaction: all of it, or nothing changed and the reason told.
#include "supervisor_story.h"

namespace graced {

TEST_CASE("a reload switches, then drains the old worker, then answers") {
  Story s = serving();
  const WorkerId old = s.newest();
  s.happens(ReloadAsked{RequestId{7}});
  CHECK(the<Prepare>(s.last).generation == GenerationId{2});
  CHECK(s.last.size() == 1);
  CHECK(s.phase() == "reloading");
  s.prepared();
  CHECK(the<Spawn>(s.last).generation == GenerationId{2});
  CHECK(s.state(old) == "ready");

  s.happens(WorkerReady{s.newest()});
  REQUIRE(s.last.size() == 3);
  CHECK(std::get<Switch>(s.last[0]).to == GenerationId{2});
  CHECK(std::get<Drain>(s.last[1]).worker == old);
  const Answer answer = std::get<Answer>(s.last[2]);
  CHECK(answer.to == RequestId{7});
  CHECK(answer.ok);
  CHECK(answer.generation == GenerationId{2});
  CHECK(s.phase() == "serving");
  CHECK(s.serving() == std::vector{s.newest()});
  CHECK(s.state(old) == "draining");

  s.exits(old, 0);
  CHECK(s.last.empty());
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

TEST_CASE("with N workers the last of the candidate's makes it serve, and all the old ones leave") {
  Story s = serving(Policy{.workers = 2});
  const WorkerId old0 = s.newest(0), old1 = s.newest(1);
  s.happens(ReloadAsked{nobody});
  s.prepared(Policy{.workers = 3});
  CHECK(only<Spawn>(s.last).size() == 3);
  s.happens(WorkerReady{s.newest(1)});
  s.happens(WorkerReady{s.newest(0)});
  CHECK(s.last.empty());
  CHECK(s.serving_generation() == GenerationId{1});
  s.happens(WorkerReady{s.newest(2)});
  CHECK(the<Switch>(s.last).to == GenerationId{2});
  CHECK(only<Drain>(s.last).size() == 2);
  CHECK(s.state(old0) == "draining");
  CHECK(s.state(old1) == "draining");
  CHECK(s.serving().size() == 3);
}

TEST_CASE("whatever goes wrong before the candidate is ready leaves the serving generation untouched") {
  const Policy policy{.workers = 2, .ready_timeout = 5s, .drain_timeout = 50s};
  const Policy other{.workers = 3, .ready_timeout = 2s, .drain_timeout = 3s};
  Story s = serving(policy);
  const WorkerId old0 = s.newest(0), old1 = s.newest(1);
  const RequestId asker{7};
  s.happens(ReloadAsked{asker});
  std::string why;
  std::size_t drained = 0;

  SUBCASE("it cannot be prepared") {
    s.happens(PreparationFailed{GenerationId{2}, "app.conf:3: unknown option 'listn'"});
    why = "app.conf:3: unknown option 'listn'";
  }
  SUBCASE("its preparation hangs") {
    s.passes(5s - 1ns);
    CHECK(s.last.empty());
    s.passes(1ns);
    why = "not prepared within 5s";
  }
  SUBCASE("it cannot be spawned") {
    s.prepared(other);
    s.happens(WorkerGone{s.newest(0), {"exec ./app: Permission denied", 126}});
    why = "worker 0 of 3: exec ./app: Permission denied";
    drained = 2;
  }
  SUBCASE("it dies before it is ready") {
    s.prepared(other);
    s.exits(s.newest(1), 1);
    why = "worker 1 of 3: exited with status 1";
    drained = 2;
  }
  SUBCASE("it exits successfully before it is ready") {
    s.prepared(other);
    s.exits(s.newest(1), 0);
    why = "worker 1 of 3: exited with status 0";
    drained = 2;
  }
  SUBCASE("it dies when it is ready while others are not") {
    s.prepared(other);
    s.happens(WorkerReady{s.newest(0)});
    s.happens(WorkerReady{s.newest(2)});
    s.exits(s.newest(2), 139);
    why = "worker 2 of 3: exited with status 139";
    drained = 2;
  }
  SUBCASE("one of it is not ready in time") {
    s.passes(1s);
    s.prepared(other);
    s.happens(WorkerReady{s.newest(0)});
    s.happens(WorkerReady{s.newest(2)});
    s.passes(2s - 1ns);
    CHECK(s.last.empty());
    s.passes(1ns);
    why = "not ready within 2s";
    drained = 3;
  }

  CHECK(the<Abandon>(s.last).generation == GenerationId{2});
  CHECK(the<Abandon>(s.last).why == why);
  const Answer answer = the<Answer>(s.last);
  CHECK(answer.to == asker);
  CHECK_FALSE(answer.ok);
  CHECK(answer.why == why);
  CHECK(answer.failed == GenerationId{2});
  CHECK(answer.generation == GenerationId{1});
  CHECK(none<Switch>(s.last));
  CHECK(none<Finished>(s.last));
  for (const Drain& drain : only<Drain>(s.last)) {
    CHECK(drain.worker != old0);
    CHECK(drain.worker != old1);
    CHECK(s.deadline(drain.worker) == s.now + 3s);
  }
  CHECK(only<Drain>(s.last).size() == drained);

  CHECK(s.phase() == "serving");
  CHECK(s.serving() == std::vector{old0, old1});
  CHECK(s.state(old0) == "ready");
  CHECK(s.state(old1) == "ready");
  CHECK(s.supervisor.status().failed_reloads == 1);

  // What the candidate still says or does is of no consequence, and the next reload is a fresh one.
  s.happens(Prepared{GenerationId{2}, other});
  CHECK(s.last.empty());
  s.everybody_exits_but({old0, old1});
  CHECK(s.last.empty());
  s.reloads();
  CHECK(s.serving_generation() == GenerationId{3});
}

TEST_CASE("a single worker's failure is told without counting it") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.happens(WorkerGone{s.newest(), {"killed by SIGSEGV", 139}});
  CHECK(the<Answer>(s.last).why == "killed by SIGSEGV");
}

TEST_CASE("READY=1 and then death in the same instant: it served, so it is replaced") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.happens(WorkerReady{s.newest()});
  CHECK(the<Answer>(s.last).ok);
  s.exits(s.newest(), 1);
  CHECK(s.last.empty());
  s.passes(100ms);
  CHECK(the<Spawn>(s.last).generation == GenerationId{2});
}

TEST_CASE("death and then READY=1 in the same instant: the reload has failed") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.exits(s.newest(), 1);
  CHECK_FALSE(the<Answer>(s.last).ok);
  s.happens(WorkerReady{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.serving_generation() == GenerationId{1});
}

TEST_CASE("news of other generations and of workers nobody knows is not taken for the candidate's") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.happens(Prepared{GenerationId{1}, {}});
  CHECK(s.last.empty());
  s.happens(PreparationFailed{GenerationId{1}, "late"});
  CHECK(s.last.empty());
  s.happens(PreparationFailed{GenerationId{3}, "early"});
  CHECK(s.last.empty());
  s.prepared();
  REQUIRE(only<Spawn>(s.last).size() == 1);
  s.happens(Prepared{GenerationId{2}, Policy{.workers = 4}});  // once is enough
  CHECK(s.last.empty());
  s.happens(PreparationFailed{GenerationId{2}, "after all"});
  CHECK(s.last.empty());
  for (const WorkerId stranger : {WorkerId{0}, WorkerId{99}}) {
    s.happens(WorkerReady{stranger});
    s.happens(WorkerListening{stranger});
    s.happens(WorkerStopping{stranger});
    s.happens(WorkerAsksTime{stranger, 1h});
    s.happens(WorkerGone{stranger, {}});
    CHECK(s.last.empty());
  }
  CHECK(s.phase() == "reloading");
  CHECK(s.serving().size() == 1);
}

TEST_CASE("a worker that drains does not become ready again") {
  Story s = serving();
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(WorkerReady{old});
  s.happens(WorkerListening{old});
  CHECK(s.last.empty());
  CHECK(s.state(old) == "draining");
}

TEST_CASE("an abandoned candidate that says READY=1 at last does not serve") {
  Story s = serving(Policy{.ready_timeout = 5s});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.passes(5s);
  CHECK(s.state(s.newest()) == "draining");
  s.happens(WorkerReady{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "draining");
  CHECK(s.serving_generation() == GenerationId{1});
}

TEST_CASE("a failed reload uses up its number") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.happens(PreparationFailed{GenerationId{2}, "no"});
  s.happens(ReloadAsked{nobody});
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
}

TEST_CASE("a candidate is judged by its own policy, from its rollout on") {
  Story s = serving(Policy{.ready_timeout = 30s, .drain_timeout = 60s});
  const WorkerId first = s.newest();

  // The preparation still has the old patience, the worker the new one.
  s.happens(ReloadAsked{nobody});
  CHECK(s.supervisor.next_deadline() == s.now + 30s);
  s.prepared(Policy{.ready_timeout = 2s, .drain_timeout = 3s});
  CHECK(s.supervisor.next_deadline() == s.now + 2s);
  s.candidate_becomes_ready();

  // The old worker was promised the old drain timeout; the next one gets the new.
  CHECK(s.deadline(first) == s.now + 60s);
  const WorkerId second = s.newest();
  s.happens(ReloadAsked{nobody});
  CHECK(s.supervisor.next_deadline() == s.now + 2s);
  s.prepared(Policy{.drain_timeout = 7s});
  s.candidate_becomes_ready();
  CHECK(s.deadline(second) == s.now + 3s);
}

TEST_CASE("when a reload fails the old values stand") {
  const Policy old{.ready_timeout = 30s, .drain_timeout = 60s, .stop_timeout = 10s, .restart_delay = 200ms};
  Story s = serving(old);
  const WorkerId first = s.newest();
  s.happens(ReloadAsked{nobody});
  s.prepared(Policy{.workers = 4,
                    .ready = ReadyRule::notify,
                    .ready_timeout = 2s,
                    .drain_timeout = 3s,
                    .stop_timeout = 1s,
                    .restart = RestartRule::never,
                    .restart_delay = 5s});
  s.exits(s.newest());
  REQUIRE(s.supervisor.status().failed_reloads == 1);
  s.everybody_exits_but({first});

  s.exits(first);
  s.passes(200ms - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(s.deadline(the<Spawn>(s.last).worker) == s.now + 30s);
  s.happens(WorkerReady{s.newest()});
  CHECK(s.serving().size() == 1);
  s.happens(StopAsked{nobody});
  CHECK(s.deadline(s.newest()) == s.now + 10s);
}

TEST_CASE("serving workers are looked after by the old policy while a candidate is on trial") {
  Story s = serving(Policy{.restart_delay = 200ms});
  s.happens(ReloadAsked{nobody});
  s.prepared(Policy{.restart = RestartRule::never, .restart_delay = 5s});
  const WorkerId candidate = s.newest();
  s.exits(s.serving().front());
  CHECK(s.last.empty());
  s.passes(200ms);
  CHECK(the<Spawn>(s.last).generation == GenerationId{1});
  CHECK(s.state(candidate) == "starting");
  CHECK(s.phase() == "down");
}

TEST_CASE("an old worker that is still starting is drained like the others") {
  Story s = serving();
  s.exits(s.newest());
  s.passes(100ms);
  const WorkerId replacement = the<Spawn>(s.last).worker;
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(WorkerReady{s.newest()});
  CHECK(the<Drain>(s.last).worker == replacement);
}

TEST_CASE("a worker that waits for its replacement is not replaced once another generation serves") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  const WorkerId candidate = s.newest();
  s.exits(s.serving().front());
  s.happens(WorkerReady{candidate});
  CHECK(the<Switch>(s.last).to == GenerationId{2});
  s.passes(1h);
  CHECK(s.last.empty());
  CHECK(s.serving() == std::vector{candidate});
}

TEST_CASE("a hundred reloads leave what one leaves") {
  Story s = serving();
  for (int i = 0; i < 100; ++i) {
    const WorkerId old = s.newest();
    s.reloads();
    s.exits(old, 0);
    REQUIRE(s.supervisor.status().workers.size() == 1);
    REQUIRE(s.supervisor.next_deadline() == no_deadline);
  }
  CHECK(s.supervisor.status().reloads == 100);
}

}  // namespace graced
