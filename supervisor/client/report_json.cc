// Each plain struct as an object, in the order of the documentation.
#include "client/report_json.h"

#include "json/json_value.h"

namespace graced {
namespace {

Json to_json(const WorkerReport& w) {
  return {{"generation", w.generation},
          {"worker", w.slot},
          {"pid", json_unless_zero(w.pid)},
          {"state", w.state},
          {"age_s", json_seconds(w.age)},
          {"left_s", json_seconds(w.left)},
          {"then", w.then},
          {"status", w.status},
          {"last_lines", w.last_lines},
          {"waits_for", w.waits_for},
          {"connections", json_if_known(w.connections)},
          {"queued", json_if_known(w.queued)},
          {"quiet_s", json_seconds(w.quiet)}};
}

Json to_json(const ReloadReport& r) {
  return {{"generation", r.generation},
          {"ok", r.ok},
          {"why", r.why},
          {"age_s", json_seconds(r.age)},
          {"took_s", json_seconds(r.took)}};
}

Json to_json(const ExitReport& e) {
  return {{"generation", e.generation},        {"worker", e.slot},
          {"pid", json_unless_zero(e.pid)},    {"how", e.how},
          {"status", json_if_known(e.status)}, {"signal", json_unless_empty(e.signal)},
          {"age_s", json_seconds(e.age)},      {"lived_s", e.pid != 0 ? json_seconds(e.lived) : Json(nullptr)},
          {"last_lines", e.last_lines}};
}

Json to_json(const CanaryReport& c) {
  return {{"share", c.per_mille / 1000.0},
          {"step", c.step},
          {"steps", c.steps},
          {"left_s", json_seconds(c.left)},
          {"candidate_connections", json_if_known(c.of_candidate)},
          {"serving_connections", json_if_known(c.of_serving)}};
}

// Of one that did not answer no more is known than that.
void forget_all_but_lists(Json& object) {
  for (auto& [key, value] : object.items())
    if (!value.is_array() && key != "schema" && key != "name" && key != "phase") value = nullptr;
}

Json to_json(const ReplacementReport& r) {
  return {
      {"generation", r.generation}, {"by", r.by}, {"ok", r.ok}, {"why", r.why}, {"age_s", json_seconds(r.age)}};
}

// The token is the asker's own.
Json to_json(const UpgradeReport& u) {
  return {{"ok", u.ok},
          {"why", u.why},
          {"from", u.from},
          {"to", json_unless_empty(u.to)},
          {"age_s", json_seconds(u.age)}};
}

Json to_json(const InstanceReport& r) {
  Json workers = Json::array();
  for (const auto& w : r.workers) workers.push_back(to_json(w));
  Json generations = Json::array();
  for (const auto& g : r.generations) {
    generations.push_back(Json{
        {"generation", g.generation}, {"memory", json_if_known(g.memory)}, {"cpu_s", json_seconds(g.cpu)}});
  }
  Json datagrams = Json::array();
  for (const auto& d : r.datagrams)
    datagrams.push_back(Json{{"generation", d.generation}, {"flows", d.flows}, {"datagrams", d.datagrams}});
  Json probes = Json::array();
  for (const auto& p : r.probes) {
    probes.push_back(Json{{"probe", p.what},
                          {"passed", p.passed},
                          {"passes", p.passes},
                          {"fails", p.fails},
                          {"saw", json_unless_empty(p.saw)}});
  }
  Json watched = Json::array();
  for (const auto& p : r.watched) {
    watched.push_back(
        Json{{"probe", p.what}, {"passes", p.passes}, {"fails", p.fails}, {"saw", json_unless_empty(p.saw)}});
  }
  Json addresses = Json::array();
  for (const auto& a : r.addresses)
    addresses.push_back(Json{{"name", a.name}, {"address", a.address}, {"handoff", a.handoff}});
  Json object{{"schema", 1},
              {"name", r.name},
              {"version", r.version},
              {"pid", r.pid},
              {"phase", r.phase},
              {"age_s", json_seconds(r.age)},
              {"command", json_unless_empty(r.command)},
              {"executable", json_unless_empty(r.executable)},
              {"executable_replaced", r.executable_replaced},
              {"changed_files", r.changed},
              {"config", json_unless_empty(r.config)},
              {"serving", json_unless_zero(r.serving)},
              {"candidate", json_unless_zero(r.candidate)},
              {"standby", json_unless_zero(r.standby)},
              {"probation_s", json_seconds(r.probation_left)},
              {"workers_asked", json_unless_zero(r.workers_asked)},
              {"workers_missing", r.workers_missing},
              {"check", r.check ? Json{{"command", json_unless_empty(r.check->command)},
                                       {"age_s", json_seconds(r.check->age)}}
                                : Json(nullptr)},
              {"batches", r.batches ? Json{{"count", r.batches->count},
                                           {"serve", r.batches->serve},
                                           {"size", r.batches->size},
                                           {"starting", r.batches->under_way},
                                           {"leaving", r.batches->leaving}}
                                    : Json(nullptr)},
              {"probes", probes},
              {"canary", r.canary ? to_json(*r.canary) : Json(nullptr)},
              {"watched_by", watched},
              {"replaces", json_unless_zero(r.replaces)},
              {"last_replacement", r.last_replacement ? to_json(*r.last_replacement) : Json(nullptr)},
              {"workers", workers},
              {"addresses", addresses},
              {"generations", generations},
              {"udp", datagrams},
              {"last_reload", r.last_reload ? to_json(*r.last_reload) : Json(nullptr)},
              {"last_exit", r.last_exit ? to_json(*r.last_exit) : Json(nullptr)},
              {"reloads", r.reloads},
              {"failed_reloads", r.failed_reloads},
              {"rollbacks", r.rollbacks},
              {"restarts", r.restarts},
              {"reload_queued", r.reload_queued},
              {"next_restart_s", json_seconds(r.next_restart)},
              {"upgraded_from", json_unless_empty(r.upgraded_from)},
              {"upgraded_s", json_seconds(r.upgraded)},
              {"upgrade_waits_for", json_unless_empty(r.upgrade_waits_for)},
              {"last_upgrade", r.last_upgrade ? to_json(*r.last_upgrade) : Json(nullptr)},
              {"upgrades", r.upgrades},
              {"failed_upgrades", r.failed_upgrades},
              {"self_upgrade", r.self_upgrade}};
  if (r.phase == "silent") forget_all_but_lists(object);
  return object;
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
