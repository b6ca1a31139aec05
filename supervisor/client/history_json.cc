// Each plain struct as an object, in the order of the documentation; what is not known is null.
#include "client/history_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/timestamp.h"

namespace graced {
namespace {

using Json = nlohmann::ordered_json;

Json seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

Json seconds(const std::optional<Duration>& d) {
  return d ? seconds(*d) : Json(nullptr);
}

template <class Number>
Json if_known(const std::optional<Number>& n) {
  return n ? Json(*n) : Json(nullptr);
}

template <class Number>
Json unless_zero(Number n) {
  return n != 0 ? Json(n) : Json(nullptr);
}

Json unless_empty(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json to_json(const Asker& by) {
  if (by.how.empty()) return nullptr;
  return {{"how", by.how},
          {"signal", unless_empty(by.signal)},
          {"uid", if_known(by.user)},
          {"pid", unless_zero(by.pid)},
          {"program", unless_empty(by.program)}};
}

Json lines_of(std::string_view text) {
  Json lines = Json::array();
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(std::string(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Json to_json(const HistoryEntry& e) {
  const std::size_t end = std::min(e.why.find('\n'), e.why.size());
  return {{"event", e.event},
          {"time", to_timestamp(e.at)},
          {"monotonic_s", seconds(e.monotonic.time_since_epoch())},
          {"generation", unless_zero(e.generation)},
          {"serving", unless_zero(e.now_serving)},
          {"by", to_json(e.by)},
          {"outcome", e.ok ? "ok" : "failed"},
          {"reason", unless_empty(e.why.substr(0, end))},
          {"last_lines", lines_of(std::string_view(e.why).substr(std::min(end + 1, e.why.size())))},
          {"took_s", seconds(e.took)},
          {"prepare_s", seconds(e.stages.prepare)},
          {"check_s", seconds(e.stages.check)},
          {"start_s", seconds(e.stages.start)},
          {"probe_s", seconds(e.stages.probe)},
          {"canary_s", seconds(e.stages.canary)},
          {"worker", if_known(e.slot)},
          {"worker_pid", unless_zero(e.pid)},
          {"status", if_known(e.status)},
          {"signal", unless_empty(e.signal)},
          {"lived_s", seconds(e.lived)},
          {"killed", unless_zero(e.killed)}};
}

}  // namespace

std::string history_json(const std::string& name, const std::vector<HistoryEntry>& entries) {
  Json all = Json::array();
  for (const HistoryEntry& e : entries) all.push_back(to_json(e));
  const Json object{{"schema", 1}, {"name", name}, {"history", all}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace graced
