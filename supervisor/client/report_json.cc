// Each plain struct as an object, in the order of the documentation.
#include "client/report_json.h"

#include <nlohmann/json.hpp>

namespace graced {
namespace {

using Json = nlohmann::ordered_json;  // a reader finds things in the order they are documented in

Json seconds(Duration d) {
  if (d == infinity) return nullptr;
  return std::chrono::duration<double>(d).count();
}

Json seconds(const std::optional<Duration>& d) {
  return d ? seconds(*d) : Json(nullptr);
}

template <class Number>
Json unless_zero(Number n) {
  return n != 0 ? Json(n) : Json(nullptr);
}

template <class Number>
Json if_known(const std::optional<Number>& n) {
  return n ? Json(*n) : Json(nullptr);
}

Json unless_empty(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json to_json(const WorkerReport& w) {
  return {{"generation", w.generation},
          {"worker", w.slot},
          {"pid", unless_zero(w.pid)},
          {"state", w.state},
          {"age_s", seconds(w.age)},
          {"left_s", seconds(w.left)},
          {"then", w.then},
          {"status", w.status},
          {"last_lines", w.last_lines},
          {"waits_for", w.waits_for},
          {"connections", if_known(w.connections)},
          {"queued", if_known(w.queued)},
          {"quiet_s", seconds(w.quiet)}};
}

Json to_json(const ReloadReport& r) {
  return {{"generation", r.generation},
          {"ok", r.ok},
          {"why", r.why},
          {"age_s", seconds(r.age)},
          {"took_s", seconds(r.took)}};
}

Json to_json(const ExitReport& e) {
  return {{"generation", e.generation},
          {"worker", e.slot},
          {"pid", unless_zero(e.pid)},
          {"how", e.how},
          {"status", e.status ? Json(*e.status) : Json(nullptr)},
          {"signal", unless_empty(e.signal)},
          {"age_s", seconds(e.age)},
          {"lived_s", seconds(e.lived)},
          {"last_lines", e.last_lines}};
}

Json to_json(const CanaryReport& c) {
  return {{"share", c.per_mille / 1000.0},
          {"step", c.step},
          {"steps", c.steps},
          {"left_s", seconds(c.left)},
          {"candidate_connections", if_known(c.of_candidate)},
          {"serving_connections", if_known(c.of_serving)}};
}

Json to_json(const InstanceReport& r) {
  Json workers = Json::array();
  for (const auto& w : r.workers) workers.push_back(to_json(w));
  Json generations = Json::array();
  for (const auto& g : r.generations) {
    generations.push_back(Json{{"generation", g.generation},
                               {"memory", g.memory ? Json(*g.memory) : Json(nullptr)},
                               {"cpu_s", seconds(g.cpu)}});
  }
  Json probes = Json::array();
  for (const auto& p : r.probes)
    probes.push_back(Json{{"probe", p.what},
                          {"passed", p.passed},
                          {"passes", p.passes},
                          {"fails", p.fails},
                          {"saw", unless_empty(p.saw)}});
  Json addresses = Json::array();
  for (const auto& a : r.addresses)
    addresses.push_back(Json{{"name", a.name}, {"address", a.address}, {"handoff", a.handoff}});
  return {{"name", r.name},
          {"version", r.version},
          {"pid", r.pid},
          {"phase", r.phase},
          {"age_s", seconds(r.age)},
          {"command", r.command},
          {"executable", unless_empty(r.executable)},
          {"executable_replaced", r.executable_replaced},
          {"changed_files", r.changed},
          {"config", unless_empty(r.config)},
          {"serving", unless_zero(r.serving)},
          {"candidate", unless_zero(r.candidate)},
          {"standby", unless_zero(r.standby)},
          {"probation_s", seconds(r.probation_left)},
          {"workers_asked", unless_zero(r.workers_asked)},
          {"check",
           r.check ? Json{{"command", r.check->command}, {"age_s", seconds(r.check->age)}} : Json(nullptr)},
          {"probes", probes},
          {"canary", r.canary ? to_json(*r.canary) : Json(nullptr)},
          {"workers", workers},
          {"addresses", addresses},
          {"generations", generations},
          {"last_reload", r.last_reload ? to_json(*r.last_reload) : Json(nullptr)},
          {"last_exit", r.last_exit ? to_json(*r.last_exit) : Json(nullptr)},
          {"reloads", r.reloads},
          {"failed_reloads", r.failed_reloads},
          {"rollbacks", r.rollbacks},
          {"restarts", r.restarts},
          {"reload_queued", r.reload_queued},
          {"next_restart_s", seconds(r.next_restart)}};
}

std::string written(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string report_json(const InstanceReport& report) {
  return written(to_json(report));
}

std::string list_json(const std::vector<InstanceReport>& reports) {
  Json all = Json::array();
  for (const auto& r : reports) all.push_back(to_json(r));
  return written(all);
}

}  // namespace graced
