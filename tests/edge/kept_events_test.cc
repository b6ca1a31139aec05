// Why a candidate failed, and what has happened to the instance, is known to the image that goes on.
#include <doctest/doctest.h>

#include "daemon/daemon_members.h"
#include "daemon/event_reader_members.h"
#include "through_state.h"

namespace graced {
namespace {

constexpr GenerationId second{2};
constexpr GenerationId third{3};

TEST_CASE("a failure is told with its details by the image that goes on") {
  CandidateFailure failure;
  failure.begin(second);
  failure.note_last_words(second, {"cannot open", "giving up \xff"});
  failure.note_stranger("READY=1 came from PID 7 (sh)");
  failure.failed("not ready within 5s", "nothing listens on 8080");
  failure.begin(third);
  failure.note_error(98);

  CandidateFailure next = through_state(failure);
  CHECK(next.line() == failure.line());
  CHECK(next.in_full(second, "not ready within 5s") == failure.in_full(second, "not ready within 5s"));
  CHECK(next.error() == 98);
  // What is on trial goes on, too.
  next.note_last_words(third, {"no"});
  next.failed("exited with status 1", "");
  CHECK(next.in_full(third, "exited with status 1") == "exited with status 1\nno");
}

struct Told {
  std::vector<InstanceEvent> all{};
  InstanceEvents events{"shop", [this](const InstanceEvent& e) { all.push_back(e); }};
};

TEST_CASE("a candidate that began before serves as the one that was asked for, and took as long as it did") {
  Told first;
  Status status;
  first.events.began(GenerationId{1}, status);
  first.events.spawns(GenerationId{1}, status);
  status.serving = GenerationId{1};
  status.phase = Phase::serving;
  first.events.serves(GenerationId{1}, status);
  first.events.handled(status);
  first.events.asks({.how = "control", .user = 0, .pid = 77, .program = "graced"});
  first.events.reload_asked();
  status.candidate = second;
  first.events.began(second, status);
  first.events.check_began(second, status);
  first.events.spawns(second, status);
  first.events.shared(second, 100, status);
  first.events.handled(status);

  Told next;
  next.events.take_over(through_state(first.events.kept()));
  status.serving = second;
  status.candidate.reset();
  next.events.serves(second, status);
  next.events.handled(status);
  REQUIRE(next.all.size() == 1);
  const InstanceEvent& event = next.all.front();
  CHECK(event.kind == InstanceEvent::Kind::reloaded);
  CHECK(event.by.pid == 77);
  CHECK(event.by.how == "control");
  REQUIRE(event.took);
  CHECK(event.took->count() == (event.monotonic - first.events.kept().candidate->began).count());
  CHECK(event.stages.check);
  CHECK(event.stages.canary);
  CHECK_FALSE(event.stages.probe);
}

TEST_CASE("a generation that drains is told of once, and when it is gone") {
  Told first;
  Status status;
  status.serving = second;
  status.phase = Phase::serving;
  WorkerStatus worker{};
  worker.worker = WorkerId{1};
  worker.generation = GenerationId{1};
  worker.state = WorkerState::draining;
  status.workers.push_back(worker);
  first.events.handled(status);

  Told next;
  next.events.take_over(through_state(first.events.kept()));
  next.events.handled(status);
  CHECK(next.all.empty());
  status.workers.clear();
  next.events.handled(status);
  REQUIRE(next.all.size() == 1);
  CHECK(next.all.front().kind == InstanceEvent::Kind::gone);
  CHECK(next.all.front().generation == 1);
}

TEST_CASE("the history goes on with what was remembered before") {
  EventReaders::Kept kept;
  kept.history.add({.kind = InstanceEvent::Kind::serving, .name = "shop", .generation = 1});
  kept.history.add(
      {.kind = InstanceEvent::Kind::crashed, .name = "shop", .reason = "killed by SIGSEGV\nlast \xff"});
  History history = through_state(kept).history;
  history.add({.kind = InstanceEvent::Kind::reloaded, .name = "shop", .generation = 2});
  const auto all = history.last(10);
  REQUIRE(all.size() == 3);
  CHECK(all[1].reason == "killed by SIGSEGV\nlast \xff");
  CHECK(all[2].generation == 2);
}

TEST_CASE("the image that goes on knows until when it does not know all that happened") {
  PassingEvents passing;
  History history;
  passing.add({.kind = InstanceEvent::Kind::gone, .monotonic = Instant(5s)});
  history.add({.kind = InstanceEvent::Kind::upgraded, .monotonic = Instant(7s)});
  EventReaders::Kept kept;
  kept.forgotten = passing.forgotten_by_next(history);
  PassingEvents next;
  next.take_over(through_state(kept).forgotten);
  CHECK(next.since(Instant(5s), history).all);
  CHECK_FALSE(next.since(Instant(4s), history).all);
  CHECK(next.since(Instant(4s), history).events.size() == 1);
}

}  // namespace
}  // namespace graced
