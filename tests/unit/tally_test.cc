// What is counted of a history that forgets.
#include <doctest/doctest.h>

#include "exporter/tally.h"

using namespace graced;

namespace {

using Kind = InstanceEvent::Kind;

InstanceEvent at(std::chrono::seconds when, Kind kind) {
  InstanceEvent event{.kind = kind};
  event.monotonic = Instant{when};
  return event;
}

InstanceEvent failed(const std::string& why, const Stages& stages = {}) {
  InstanceEvent event = at(1s, Kind::reload_failed);
  event.reason = why;
  event.stages = stages;
  return event;
}

InstanceEvent reloaded(std::chrono::seconds when, Duration took) {
  InstanceEvent event = at(when, Kind::reloaded);
  event.took = took;
  event.stages = {.prepare = 1ms, .start = took - 1ms};
  return event;
}

constexpr std::int32_t pid = 7;

std::uint64_t count_of(const Tally& tally, std::string_view stage) {
  return tally.durations().at(stage).count;
}

}  // namespace

TEST_CASE("each entry of a history is counted once, however often it is looked at") {
  Tally tally;
  std::vector<InstanceEvent> history{reloaded(10s, 200ms)};
  CHECK(tally.take(history, pid, Instant{5s}) == 1);
  CHECK(tally.take(history, pid, Instant{5s}) == 0);
  history.push_back(reloaded(10s, 3s));  // in the same moment
  CHECK(tally.take(history, pid, Instant{5s}) == 1);
  history.erase(history.begin());
  CHECK(tally.take(history, pid, Instant{5s}) == 0);

  CHECK(count_of(tally, "total") == 2);
  CHECK(count_of(tally, "start") == 2);
  CHECK(count_of(tally, "check") == 0);
  const DurationHistogram& total = tally.durations().at("total");
  CHECK(total.at_most[0] == 0);  // 0.1 s
  CHECK(total.at_most[1] == 1);  // 0.25 s
  CHECK(total.at_most[5] == 2);  // 5 s
  CHECK(total.sum == doctest::Approx(3.2));
  CHECK(tally.gaps() == 0);
}

TEST_CASE("what happened before the exporter began is another one's to count") {
  Tally tally;
  CHECK(tally.take({reloaded(1s, 1s), reloaded(6s, 1s)}, pid, Instant{5s}) == 1);
  CHECK(count_of(tally, "total") == 1);
}

TEST_CASE("a history that has forgotten what was counted last may have forgotten more, and that is told") {
  Tally tally;
  tally.take({reloaded(10s, 1s)}, pid, Instant{5s});
  tally.take({reloaded(20s, 1s), reloaded(21s, 1s)}, pid, Instant{5s});
  CHECK(count_of(tally, "total") == 3);
  CHECK(tally.gaps() == 1);
}

TEST_CASE("another graced begins another history, and counters go on") {
  Tally tally;
  tally.take({reloaded(10s, 1s), at(11s, Kind::crashed)}, pid, Instant{5s});
  tally.take({at(12s, Kind::serving), at(13s, Kind::crashed)}, pid + 1, Instant{5s});
  CHECK(tally.crashes() == 2);
  CHECK(tally.gaps() == 0);
}

TEST_CASE("the reason of a failed reload is one of few") {
  CHECK(failure_class(failed("bind 127.0.0.1:80: Permission denied")) == FailureClass::prepare);
  CHECK(failure_class(failed("check: exited with status 1", {.prepare = 1ms, .check = 1s})) ==
        FailureClass::check);
  CHECK(failure_class(failed("exited with status 3 after 2s", {.start = 2s})) == FailureClass::start);
  CHECK(failure_class(failed("not ready within 30s: nobody waits", {.start = 30s})) == FailureClass::late);
  CHECK(failure_class(failed("GET http://x/: 503, 3 of 3 failed", {.start = 1s, .probe = 2s})) ==
        FailureClass::probe);
  CHECK(failure_class(failed("with 5% of new connections: gate: 5xx", {.probe = 2s, .canary = 3s})) ==
        FailureClass::canary);
  CHECK(failure_class(failed("aborted by root (PID 812)", {.start = 1s})) == FailureClass::aborted);
  Tally tally;
  tally.take({failed("exited with status 3", {.start = 2s})}, pid, {});
  CHECK(tally.failures()[static_cast<std::size_t>(FailureClass::start)] == 1);
}

TEST_CASE("datagrams count for what a generation was when they came, and those of another graced anew") {
  Tally tally;
  InstanceReport report;
  report.serving = 1;
  report.datagrams = {{.generation = 1, .flows = 2, .datagrams = 10}};
  tally.take({}, pid, {});
  tally.take_datagrams(report);  // before anybody looked
  report.datagrams[0].datagrams = 15;
  tally.take_datagrams(report);
  report.serving = 2;
  report.datagrams[0].datagrams = 16;
  report.datagrams.push_back({.generation = 2, .flows = 1, .datagrams = 7});
  tally.take_datagrams(report);
  CHECK(tally.datagrams().at("serving") == 12);
  CHECK(tally.datagrams().at("draining") == 1);

  tally.take({}, pid + 1, {});
  report.serving = 1;
  report.datagrams = {{.generation = 1, .flows = 0, .datagrams = 4}};
  tally.take_datagrams(report);
  CHECK(tally.datagrams().at("serving") == 16);
}

TEST_CASE("CPU time counts for what a generation was while it ran, and never goes back") {
  Tally tally;
  InstanceReport report;
  report.serving = 1;
  tally.take_cpu(report, {{1, 10s}});  // before anybody looked
  tally.take_cpu(report, {{1, 12s}});
  report.serving = 2;
  tally.take_cpu(report, {{1, 13s}, {2, 1s}});
  tally.take_cpu(report, {{2, 4s}});
  CHECK(tally.cpu().at("serving") == 6s);
  CHECK(tally.cpu().at("draining") == 1s);
}

TEST_CASE("sockets that leave with their generation take no drops away and bring none") {
  Tally tally;
  const auto told = [&](std::optional<std::uint64_t> drops) {
    tally.take_drops(
        {{.address = "tcp [::]:80", .waiting = {}, .longest = {}, .drops = drops, .connected = {}}});
    return tally.drops("tcp [::]:80");
  };
  CHECK(told(7) == 0);  // an earlier exporter has told these, or nobody
  CHECK(told(9) == 2);
  CHECK(told(12) == 5);  // another generation with a socket of its own
  CHECK(told(3) == 5);   // the one before has left
  CHECK(told(4) == 6);
  CHECK(told(std::nullopt) == std::nullopt);
  CHECK(tally.drops("tcp [::]:81") == std::nullopt);
}
