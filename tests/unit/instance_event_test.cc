// What hooks are told: as variables, as JSON, and by which names.
#include "core/instance_event.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "json/event_json.h"

using namespace graced;

namespace {

using namespace std::chrono_literals;
using Kind = InstanceEvent::Kind;

const auto noon = std::chrono::sys_days{std::chrono::year{2026} / 11 / 29} + 12h + 7ms;

std::string variable(const InstanceEvent& event, std::string_view name) {
  for (const std::string& v : variables_of(event)) {
    if (v.starts_with(name) && v[name.size()] == '=') return v.substr(name.size() + 1);
  }
  return "is not there";
}

}  // namespace

TEST_CASE("every event has a word of its own, and the word leads back to it") {
  for (const std::string_view word : instance_event_kinds()) {
    const auto kind = instance_event_kind(word);
    REQUIRE(kind);
    CHECK(to_text(*kind) == word);
  }
  CHECK(to_text(Kind::reload_failed) == "reload-failed");
  CHECK(to_text(Kind::stopping) == "stopping");
  CHECK_FALSE(instance_event_kind("Reloaded"));
  CHECK_FALSE(instance_event_kind(""));
}

TEST_CASE("a hook finds the event in its environment") {
  const InstanceEvent event{.kind = Kind::reload_failed,
                            .name = "app",
                            .at = noon,
                            .generation = 8,
                            .serving = 7,
                            .reason = "exited"};
  CHECK(variables_of(event) ==
        std::vector<std::string>{"GRACED_EVENT=reload-failed", "GRACED_EVENT_TIME=2026-11-29T12:00:00.007Z",
                                 "GRACED_GENERATION=8", "GRACED_SERVING=7", "GRACED_REASON=exited"});
}

TEST_CASE("what is not known is empty in the environment and null in JSON") {
  const InstanceEvent event{.kind = Kind::stopping, .name = "app", .at = noon};
  CHECK(variable(event, "GRACED_GENERATION") == "");
  CHECK(variable(event, "GRACED_REASON") == "");
  CHECK(
      event_json(event) ==
      R"({"schema":1,"event":"stopping","time":"2026-11-29T12:00:00.007Z","monotonic_s":0.0,"name":"app",)"
      R"("generation":null,"serving":null,"by":null,"outcome":"ok","reason":null,"last_lines":[],)"
      R"("took_s":null,"prepare_s":null,"check_s":null,"start_s":null,"probe_s":null,"canary_s":null,"worker":null,)"
      R"("worker_pid":null,"status":null,"signal":null,"lived_s":null,"killed":null,"share":null})"
      "\n");
}

TEST_CASE("a reason with anything in it is safe to show, keeps its lines, and has an end") {
  InstanceEvent event{.kind = Kind::crashed, .name = "app", .reason = "one\ntwo\x1b[2J\n"};
  CHECK(variable(event, "GRACED_REASON") == "one\ntwo\\x1b[2J\n");
  event.reason = std::string("nul\0in it", 9);
  CHECK(variable(event, "GRACED_REASON") == "nul\\x00in it");
  for (std::size_t before = 4090; before < 4100; ++before) {
    CAPTURE(before);
    event.reason = std::string(before, 'x') + "äöü€ and so on";
    const std::string shown = variable(event, "GRACED_REASON");
    CHECK(shown.size() <= 4096 + std::string("…").size());
    CHECK(shown.ends_with("…"));
    CHECK(event_json({.kind = Kind::crashed, .name = "", .reason = shown}).find("\\ufffd") ==
          std::string::npos);
  }
}

TEST_CASE("a reason that is no text is JSON all the same, on one line") {
  const std::string line =
      event_json({.kind = Kind::crashed, .name = "app", .worker = 2, .reason = "\xff\n\"end\""});
  CHECK(std::ranges::count(line, '\n') == 1);
  CHECK(line.find("\"worker\":2") != std::string::npos);
  CHECK(line.find(R"("reason":"\ufffd","last_lines":["\"end\""])") != std::string::npos);
}
