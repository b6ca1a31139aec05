// What `graced status` is told, in each phase.
#include "supervisor_story.h"

namespace graced {

TEST_CASE("status while graced starts") {
  Story s;
  s.happens(ReloadAsked{nobody});
  Status status = s.supervisor.status();
  CHECK(status.phase == Phase::starting);
  CHECK(status.serving == std::nullopt);
  CHECK(status.candidate == GenerationId{1});
  CHECK(status.workers.empty());

  s.passes(1s);
  s.prepared(Policy{.workers = 2, .ready_timeout = 5s});
  status = s.supervisor.status();
  REQUIRE(status.workers.size() == 2);
  for (unsigned slot = 0; slot < 2; ++slot) {
    CHECK(status.workers[slot].worker == WorkerId{slot + 1});
    CHECK(status.workers[slot].generation == GenerationId{1});
    CHECK(status.workers[slot].slot == slot);
    CHECK(status.workers[slot].state == WorkerState::starting);
    CHECK(status.workers[slot].since == s.now);
    CHECK(status.workers[slot].deadline == s.now + 5s);
  }
}

TEST_CASE("status while graced serves") {
  Story s(Policy{.ready_timeout = 5s});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.passes(2s);
  s.happens(WorkerReady{s.newest()});
  const Instant ready = s.now;
  s.passes(1h);
  const Status status = s.supervisor.status();
  CHECK(status.phase == Phase::serving);
  CHECK(status.serving == GenerationId{1});
  CHECK(status.candidate == std::nullopt);
  REQUIRE(status.workers.size() == 1);
  CHECK(status.workers[0].state == WorkerState::ready);
  CHECK(status.workers[0].since == ready);
  CHECK(status.workers[0].deadline == no_deadline);
  CHECK_FALSE(status.last_reload.has_value());  // the first start is not a reload
  CHECK(status.reloads == 0);
  CHECK(status.failed_reloads == 0);
  CHECK(status.restarts == 0);
  CHECK_FALSE(status.reload_queued);
  CHECK(status.next_restart == std::nullopt);
}

TEST_CASE("status during a reload, and after it") {
  Story s = serving(Policy{.drain_timeout = 50s});
  s.happens(ReloadAsked{nobody});
  s.passes(1s);
  s.prepared();
  s.passes(2s);
  Status status = s.supervisor.status();
  CHECK(status.phase == Phase::reloading);
  CHECK(status.serving == GenerationId{1});
  CHECK(status.candidate == GenerationId{2});
  REQUIRE(status.workers.size() == 2);
  CHECK(status.workers[0].state == WorkerState::ready);
  CHECK(status.workers[1].state == WorkerState::starting);

  s.happens(WorkerReady{s.newest()});
  const Instant ended = s.now;
  s.passes(5s);
  status = s.supervisor.status();
  CHECK(status.phase == Phase::serving);
  CHECK(status.serving == GenerationId{2});
  CHECK(status.candidate == std::nullopt);
  REQUIRE(status.workers.size() == 2);  // oldest first
  CHECK(status.workers[0].worker == WorkerId{1});
  CHECK(status.workers[0].generation == GenerationId{1});
  CHECK(status.workers[0].state == WorkerState::draining);
  CHECK(status.workers[0].since == ended);
  CHECK(status.workers[0].deadline == ended + 50s);
  CHECK(status.workers[1].state == WorkerState::ready);
  REQUIRE(status.last_reload.has_value());
  CHECK(status.last_reload->generation == GenerationId{2});
  CHECK(status.last_reload->ok);
  CHECK(status.last_reload->why == "");
  CHECK(status.last_reload->at == ended);
  CHECK(status.last_reload->took == 3s);
  CHECK(status.reloads == 1);
  CHECK(status.failed_reloads == 0);

  s.passes(45s);
  const Instant killed = s.now;
  s.passes(1s);
  status = s.supervisor.status();
  CHECK(status.workers[0].state == WorkerState::killed);
  CHECK(status.workers[0].since == killed);
  CHECK(status.workers[0].deadline == no_deadline);
}

TEST_CASE("status after a failed reload, and after the next good one") {
  Story s = serving();
  s.reloads();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.passes(2s);
  s.exits(s.newest(), 3);
  Status status = s.supervisor.status();
  CHECK(status.phase == Phase::serving);
  CHECK(status.serving == GenerationId{2});
  REQUIRE(status.last_reload.has_value());
  CHECK(status.last_reload->generation == GenerationId{3});
  CHECK_FALSE(status.last_reload->ok);
  CHECK(status.last_reload->why == "exited with status 3");
  CHECK(status.last_reload->at == s.now);
  CHECK(status.last_reload->took == 2s);
  CHECK(status.reloads == 1);
  CHECK(status.failed_reloads == 1);

  s.reloads();
  status = s.supervisor.status();
  CHECK(status.last_reload->generation == GenerationId{4});
  CHECK(status.last_reload->ok);
  CHECK(status.reloads == 2);
  CHECK(status.failed_reloads == 1);
}

TEST_CASE("status tells of the reload that waits") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  CHECK_FALSE(s.supervisor.status().reload_queued);
  s.happens(ReloadAsked{nobody});
  s.happens(ReloadAsked{nobody});
  CHECK(s.supervisor.status().reload_queued);
  s.happens(PreparationFailed{s.preparing, "no"});
  CHECK(s.phase() == "serving");
  CHECK(s.supervisor.status().reload_queued);
  s.passes(20ms);
  CHECK(s.phase() == "reloading");
  CHECK_FALSE(s.supervisor.status().reload_queued);
}

TEST_CASE("status tells of the next restart, the earliest of several") {
  Story s = serving(Policy{.workers = 2, .restart_delay = 1s});
  s.exits(s.newest(0));
  const Instant first = s.now + 1s;
  CHECK(s.supervisor.status().next_restart == first);
  s.passes(300ms);
  s.exits(s.newest(1));
  CHECK(s.supervisor.status().next_restart == first);
  CHECK(s.phase() == "down");
  CHECK(s.supervisor.status().workers.empty());
  s.passes(700ms);
  CHECK(s.supervisor.status().next_restart == first + 300ms);
  CHECK(s.supervisor.status().restarts == 1);
  s.passes(300ms);
  CHECK(s.supervisor.status().next_restart == std::nullopt);
  CHECK(s.supervisor.status().restarts == 2);
}

TEST_CASE("status while graced stops, and when it has") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.happens(StopAsked{nobody});
  Status status = s.supervisor.status();
  CHECK(status.phase == Phase::stopping);
  CHECK(status.serving == GenerationId{1});
  CHECK(status.candidate == std::nullopt);
  REQUIRE(status.workers.size() == 1);
  CHECK(status.workers[0].state == WorkerState::draining);
  CHECK(status.failed_reloads == 1);
  CHECK(status.last_reload->why == "graced is stopping");

  s.everybody_exits();
  status = s.supervisor.status();
  CHECK(status.phase == Phase::finished);
  CHECK(status.workers.empty());
}

TEST_CASE("a first start that fails counts as no reload") {
  Story s;
  s.happens(ReloadAsked{nobody});
  s.happens(PreparationFailed{s.preparing, "no"});
  CHECK(s.supervisor.status().failed_reloads == 0);
  CHECK_FALSE(s.supervisor.status().last_reload.has_value());
}

TEST_CASE("phases and worker states have words") {
  CHECK(to_text(Phase::starting) == "starting");
  CHECK(to_text(Phase::serving) == "serving");
  CHECK(to_text(Phase::degraded) == "degraded");
  CHECK(to_text(Phase::down) == "down");
  CHECK(to_text(Phase::reloading) == "reloading");
  CHECK(to_text(Phase::stopping) == "stopping");
  CHECK(to_text(Phase::finished) == "finished");
  CHECK(to_text(WorkerState::starting) == "starting");
  CHECK(to_text(WorkerState::ready) == "ready");
  CHECK(to_text(WorkerState::draining) == "draining");
  CHECK(to_text(WorkerState::killed) == "killed");
}

}  // namespace graced
