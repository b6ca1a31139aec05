// What people and programs see of a history, to the letter.
#include <doctest/doctest.h>

#include <cstdlib>

#include "client/history_text.h"
#include "json/event_json.h"

using namespace graced;

namespace {

using Kind = InstanceEvent::Kind;

std::vector<InstanceEvent> story() {
  const std::chrono::system_clock::time_point at{std::chrono::seconds(1'795'982'588)};
  std::vector<InstanceEvent> events;
  events.push_back({.kind = Kind::serving, .at = at, .generation = 1, .serving = 1, .by = {.how = "start"}});
  events.back().took = 202ms;
  events.back().stages = {.prepare = 2ms, .start = 200ms};
  events.push_back({.kind = Kind::reload_failed,
                    .at = at,
                    .monotonic = Instant{1500ms},
                    .generation = 2,
                    .serving = 1,
                    .by = {.how = "signal", .signal = "SIGHUP", .user = 0, .pid = 812, .program = "ba\x1bsh"},
                    .ok = false,
                    .took = 1s,
                    .stages = {.prepare = 250ms, .check = 500ms, .start = 250ms},
                    .reason = "exited with status 1\npanic\x07\nat \xff"});
  events.push_back({.kind = Kind::crashed,
                    .at = at,
                    .generation = 1,
                    .serving = 1,
                    .ok = false,
                    .worker = 0,
                    .worker_pid = 99,
                    .status = 3,
                    .lived = 2s,
                    .reason = "exited with status 3 after 2s"});
  events.push_back({.kind = Kind::serving, .at = at, .generation = 1, .serving = 1, .by = {.how = "crash"}});
  events.push_back(
      {.kind = Kind::hammered, .at = at, .by = {.how = "graced"}, .killed = 2, .reason = "not gone in time"});
  events.push_back(
      {.kind = Kind::stopping, .at = at, .generation = 1, .by = {.how = "control", .user = 1000, .pid = 7}});
  return events;
}

}  // namespace

TEST_CASE("each thing that happened is a sentence") {
  ::setenv("TZ", "UTC", 1);
  CHECK(history_text({}, false) == "");
  CHECK(history_text(story(), false) ==
        "2026-11-29 20:03:08  generation 1 serves after 202ms (prepare 2ms, start 200ms)\n"
        "2026-11-29 20:03:08  generation 2 failed after 1s (prepare 250ms, check 500ms, start 250ms): exited "
        "with "
        "status 1; asked by SIGHUP of ba\\x1bsh, PID 812, root\n"
        "                     | panic\\x07\n"
        "                     | at \\xff\n"
        "2026-11-29 20:03:08  worker 0 of generation 1 (PID 99) exited with status 3 after 2s\n"
        "2026-11-29 20:03:08  generation 1 serves again\n"
        "2026-11-29 20:03:08  2 workers of the graced before killed: not gone in time\n"
        "2026-11-29 20:03:08  graced stops; asked at the control socket by PID 7, uid 1000\n");
  CHECK(history_text({story().at(2)}, true).find("\x1b[31mworker 0") != std::string::npos);
}

TEST_CASE("programs get every member, and null for what is not known") {
  CHECK(history_json("shop", {story().at(1)}) == R"({
  "schema": 1,
  "name": "shop",
  "history": [
    {
      "schema": 1,
      "event": "reload-failed",
      "time": "2026-11-29T20:03:08.000Z",
      "monotonic_s": 1.5,
      "name": "shop",
      "generation": 2,
      "serving": 1,
      "by": {
        "how": "signal",
        "signal": "SIGHUP",
        "uid": 0,
        "pid": 812,
        "program": "ba\u001bsh"
      },
      "outcome": "failed",
      "reason": "exited with status 1",
      "last_lines": [
        "panic\u0007",
        "at )"
                                                 "\xef\xbf\xbd"
                                                 R"("
      ],
      "took_s": 1.0,
      "prepare_s": 0.25,
      "check_s": 0.5,
      "start_s": 0.25,
      "probe_s": null,
      "canary_s": null,
      "worker": null,
      "worker_pid": null,
      "status": null,
      "signal": null,
      "lived_s": null,
      "killed": null,
      "share": null
    }
  ]
}
)");
  const std::string crash = history_json("shop", {story().at(2)});
  for (const char* part : {"\"by\": null", "\"worker\": 0,", "\"worker_pid\": 99", "\"status\": 3",
                           "\"lived_s\": 2.0", "\"last_lines\": []", "\"took_s\": null"})
    CHECK_MESSAGE(crash.find(part) != std::string::npos, part);
  CHECK(history_json("shop", {}).find("\"history\": []") != std::string::npos);
}

TEST_CASE("what became of an upgrade of graced itself is told, and who asked for it") {
  ::setenv("TZ", "UTC", 1);
  std::vector<InstanceEvent> entries;
  entries.push_back({.kind = Kind::upgraded,
                     .by = {.how = "control", .user = 0, .pid = 7, .program = "dpkg"},
                     .reason = "from 0.2.0 to 0.3.0"});
  entries.push_back({.kind = Kind::upgrade_failed, .ok = false, .reason = "/new: it is a script"});
  CHECK(history_text(entries, false) ==
        "1970-01-01 00:00:00  graced was upgraded from 0.2.0 to 0.3.0; asked at the control socket by dpkg, "
        "PID 7, "
        "root\n"
        "1970-01-01 00:00:00  graced could not be upgraded: /new: it is a script\n");
}

TEST_CASE("what became of a generation whose probe failed is told") {
  ::setenv("TZ", "UTC", 1);
  std::vector<InstanceEvent> entries;
  entries.push_back({.kind = Kind::replacement_failed,
                     .generation = 2,
                     .by = {.how = "probe"},
                     .ok = false,
                     .reason = "no room"});
  entries.push_back({.kind = Kind::replaced,
                     .generation = 3,
                     .by = {.how = "probe"},
                     .reason = "tcp://a:1: no answer in 2s"});
  CHECK(history_text(entries, false) ==
        "1970-01-01 00:00:00  generation 2, which was to replace one whose probe failed, failed: no room\n"
        "1970-01-01 00:00:00  generation 3 serves in the place of another one of the same, whose probe failed: "
        "tcp://a:1: no answer in 2s\n");
}
