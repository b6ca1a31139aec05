// What a service manager with timeouts of its own is told about the length of a phase.
#include "core/phase_limit.h"

#include "supervisor_story.h"

namespace graced {

namespace {

std::optional<Instant> limit_of(const Story& s) {
  return phase_limit(s.supervisor.status(), s.supervisor.next_deadline());
}

}  // namespace

TEST_CASE("a start lasts until its last worker must be ready") {
  Story s(Policy{.ready_timeout = 5s});
  s.happens(ReloadAsked{nobody});
  CHECK(limit_of(s) == s.now + 5s);  // to be prepared
  s.passes(1s);
  s.prepared(Policy{.workers = 2, .ready_timeout = 5s});
  const Instant begun = s.now;
  s.passes(1s);
  s.happens(WorkerAsksTime{s.newest(), 1min});
  CHECK(limit_of(s) == s.now + 1min);
  s.happens(WorkerReady{s.newest()});
  CHECK(limit_of(s) == begun + 5s);
}

TEST_CASE("while a generation serves nothing is waited for, whoever drains") {
  Story s = serving(Policy{.drain_timeout = 50s});
  CHECK(limit_of(s) == std::nullopt);
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(WorkerReady{s.newest()});
  CHECK(s.supervisor.next_deadline() == s.now + 50s);
  CHECK(limit_of(s) == std::nullopt);
}

TEST_CASE(
    "a stop that waits for connections asks the manager for the time until the kill, not until the signal") {
  Story s = serving(Policy{.drain = DrainRule::idle, .stop_timeout = 20s});
  s.happens(StopAsked{nobody});
  CHECK(limit_of(s) == s.now + 20s);
  s.passes(16s);
  CHECK(limit_of(s) == s.now + 4s);
}

TEST_CASE("a stop lasts until the last worker is killed, or for ever where it may") {
  Story s = serving(Policy{.stop_timeout = 20s});
  s.happens(StopAsked{nobody});
  CHECK(limit_of(s) == s.now + 20s);
  s.passes(20s);
  CHECK(limit_of(s) == std::nullopt);  // killed, and about to be gone

  Story patient = serving(Policy{.stop_timeout = infinity});
  patient.happens(StopAsked{nobody});
  CHECK(limit_of(patient) == no_deadline);
}

}  // namespace graced
