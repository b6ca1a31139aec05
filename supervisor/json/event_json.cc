// Each plain struct as an object, in the order of the documentation; what is not known is null.
#include "json/event_json.h"

#include "core/timestamp.h"
#include "json/json_value.h"

namespace graced {

namespace {

Json to_json(const Asker& by) {
  if (by.how.empty()) return nullptr;
  return {{"how", by.how},
          {"signal", json_unless_empty(by.signal)},
          {"uid", json_if_known(by.user)},
          {"pid", json_unless_zero(by.pid)},
          {"program", json_unless_empty(by.program)}};
}

Json to_json(const InstanceEvent& e) {
  return {{"schema", 1},
          {"event", word_of(e)},
          {"time", to_timestamp(e.at)},
          {"monotonic_s", json_seconds(e.monotonic.time_since_epoch())},
          {"name", e.name},
          {"generation", json_if_known(e.generation)},
          {"serving", json_if_known(e.serving)},
          {"by", to_json(e.by)},
          {"outcome", e.ok ? "ok" : "failed"},
          {"reason", json_unless_empty(reason_line(e))},
          {"last_lines", last_lines(e)},
          {"took_s", json_seconds(e.took)},
          {"prepare_s", json_seconds(e.stages.prepare)},
          {"check_s", json_seconds(e.stages.check)},
          {"start_s", json_seconds(e.stages.start)},
          {"probe_s", json_seconds(e.stages.probe)},
          {"canary_s", json_seconds(e.stages.canary)},
          {"worker", json_if_known(e.worker)},
          {"worker_pid", json_if_known(e.worker_pid)},
          {"status", json_if_known(e.status)},
          {"signal", json_unless_empty(e.signal)},
          {"lived_s", json_seconds(e.lived)},
          {"killed", json_unless_zero(e.killed)},
          {"share", e.per_mille != 0 ? Json(e.per_mille / 1000.0) : Json(nullptr)}};
}

}  // namespace

// All ASCII, so that no control character of any kind gets through.
std::string event_json(const InstanceEvent& event) {
  return to_json(event).dump(-1, ' ', true, Json::error_handler_t::replace) + '\n';
}

std::string history_json(const std::string& name, const std::vector<InstanceEvent>& events) {
  Json all = Json::array();
  for (InstanceEvent e : events) {
    e.name = name;
    all.push_back(to_json(e));
  }
  const Json object{{"schema", 1}, {"name", name}, {"history", all}};
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace graced
