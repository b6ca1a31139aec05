// Labels have few values: a role stands for a generation, a class for a reason, a number for a probe, whose URL
// may hold a secret.
#include "exporter/instance_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "client/exit_class.h"

namespace graced {
namespace {

using enum MetricType;

constexpr std::array<std::string_view, 7> phases{"starting",  "serving",  "degraded", "down",
                                                 "reloading", "stopping", "finished"};
constexpr std::array<std::string_view, 6> worker_states{"starting", "ready",   "standby",
                                                        "draining", "leaving", "killed"};

double of(bool yes) {
  return yes ? 1 : 0;
}

double of(std::uint64_t number) {
  return static_cast<double>(number);
}

bool drains(const WorkerReport& w) {
  return w.state == "draining" || w.state == "killed";
}

// When the serving generation began to serve.
std::optional<Instant> serves_since(const Seen& seen) {
  std::optional<Instant> since;
  for (const InstanceEvent& e : seen.history) {
    if (e.serving != seen.report().serving) since.reset();
    if (e.serving == seen.report().serving && !since) since = e.monotonic;
  }
  return since;
}

// Seconds since 1970. As its history tells it, which is the same at each look.
std::optional<double> time_of_last_exit(const Seen& seen) {
  const auto& exit = seen.report().last_exit;
  if (!exit) return std::nullopt;
  const auto crash = std::find_if(seen.history.rbegin(), seen.history.rend(), [&](const InstanceEvent& e) {
    return e.kind == InstanceEvent::Kind::crashed && e.worker_pid.value_or(0) == exit->pid;
  });
  if (crash == seen.history.rend()) return std::nullopt;
  const auto since_1970 = std::chrono::floor<std::chrono::milliseconds>(crash->at.time_since_epoch());
  return static_cast<double>(since_1970.count()) / 1000;
}

// When another one began to serve in its place.
std::optional<Instant> drains_since(const Seen& seen, std::uint64_t generation) {
  std::optional<Instant> since;
  for (const InstanceEvent& e : seen.history) {
    if (e.serving == generation) since.reset();
    if (e.serving && e.serving != generation && !since) since = e.monotonic;
  }
  return since;
}

}  // namespace

MetricBook& MetricBook::family(std::string_view name, MetricType type, std::string_view help) {
  const auto found = std::ranges::find(families_, name, &MetricFamily::name);
  current_ = static_cast<std::size_t>(found - families_.begin());
  if (found == families_.end())
    families_.push_back({.name = std::string(name), .type = type, .help = std::string(help)});
  return *this;
}

MetricBook& MetricBook::add(double value, Labels labels, std::string_view suffix) {
  Sample sample{.suffix = std::string(suffix), .value = value};
  for (const auto& [name, text] : labels) sample.labels.emplace_back(name, text);
  families_[current_].samples.push_back(std::move(sample));
  return *this;
}

void add_state(MetricBook& book, const Seen& seen) {
  const std::string& name = seen.name;
  book.family("graced_up", gauge, "Whether the instance could be read.").add(of(seen.read()), {{"name", name}});
  if (!seen.read()) {
    book.family("graced_unread", gauge,
                "1 for an instance that could not be read, and why: gone, silent or refused.")
        .add(1, {{"name", name}, {"reason", to_text(seen.observed.answer)}});
    return;
  }
  const InstanceReport& r = seen.report();
  book.family("graced_instance", info, "Version of the graced that runs the instance.")
      .add(1, {{"name", name}, {"version", r.version}});
  book.family("graced_age_seconds", gauge, "How long this graced has run.")
      .add(seconds(r.age), {{"name", name}});
  book.family("graced_phase", gauge, "1 for the phase that the instance is in, 0 for the others.");
  for (const std::string_view phase : phases)
    book.add(of(phase == r.phase), {{"name", name}, {"phase", phase}});
  std::map<std::string_view, unsigned> states;
  for (const std::string_view state : worker_states) states[state] = 0;
  for (const WorkerReport& w : r.workers)
    if (const auto known = states.find(w.state); known != states.end()) ++known->second;
  book.family("graced_workers", gauge, "Workers of all generations, by their state.");
  for (const std::string_view state : worker_states)
    book.add(states[state], {{"name", name}, {"state", state}});
  book.family("graced_workers_asked", gauge, "How many workers the serving generation should have.")
      .add(r.workers_asked, {{"name", name}});
}

void add_generations(MetricBook& book, const Seen& seen, Instant now) {
  const std::string& name = seen.name;
  const InstanceReport& r = seen.report();
  book.family("graced_serving_generation", gauge, "Number of the generation that serves; 0: none does.")
      .add(of(r.serving), {{"name", name}});
  if (const auto since = r.serving != 0 ? serves_since(seen) : std::nullopt)
    book.family("graced_serving_generation_age_seconds", gauge,
                "How long the serving generation has served; not there where that is not known.")
        .add(seconds(std::max(now - *since, Duration{0})), {{"name", name}});

  std::set<std::uint64_t> draining;
  for (const WorkerReport& w : r.workers)
    if (drains(w)) draining.insert(w.generation);
  std::optional<Duration> oldest{draining.empty() ? std::optional{Duration{0}} : std::nullopt};
  for (const std::uint64_t generation : draining)
    if (const auto since = drains_since(seen, generation))
      oldest = std::max(oldest.value_or(Duration{0}), now - *since);
  book.family("graced_draining_generations", gauge, "Generations that finish what they have.")
      .add(of(draining.size()), {{"name", name}});
  if (oldest)
    book.family("graced_oldest_draining_seconds", gauge,
                "How long ago the oldest draining generation was replaced; 0: none drains.")
        .add(seconds(*oldest), {{"name", name}});
}

void add_reloads(MetricBook& book, const Seen& seen) {
  const std::string& name = seen.name;
  const InstanceReport& r = seen.report();
  const Tally& tally = seen.tally;
  book.family("graced_reloads", counter, "Reloads that have ended since graced began, by their outcome.")
      .add(of(r.reloads), {{"name", name}, {"outcome", "ok"}})
      .add(of(r.failed_reloads), {{"name", name}, {"outcome", "failed"}});
  book.family("graced_upgrades", counter,
              "Upgrades of graced itself in its process that have ended since it began, by their outcome.")
      .add(of(r.upgrades), {{"name", name}, {"outcome", "ok"}})
      .add(of(r.failed_upgrades), {{"name", name}, {"outcome", "failed"}});
  book.family("graced_last_reload_failed", gauge, "Whether the last reload failed, and none was done since.")
      .add(of(r.last_reload && !r.last_reload->ok), {{"name", name}});
  book.family("graced_reload_failures", counter,
              "Reloads that failed, by the class of the reason, since the exporter knows the instance.");
  for (std::size_t i = 0; i < failure_classes; ++i)
    book.add(of(tally.failures()[i]), {{"name", name}, {"reason", to_text(static_cast<FailureClass>(i))}});
  book.family("graced_rollbacks", counter, "Generations that were rolled back since graced began.")
      .add(of(r.rollbacks), {{"name", name}});
  book.family("graced_worker_restarts", counter, "Workers replaced after they ended by themselves.")
      .add(of(r.restarts), {{"name", name}});
  book.family("graced_worker_crashes", counter,
              "Serving workers that ended by themselves, since the exporter knows the instance.")
      .add(of(tally.crashes()), {{"name", name}});
  if (const auto at = time_of_last_exit(seen))
    book.family("graced_last_exit_timestamp_seconds", gauge,
                "When a serving worker ended by itself last, until a reload succeeds, with the class of the "
                "reason.")
        .add(*at, {{"name", name}, {"reason", to_text(exit_class(*r.last_exit))}});
  book.family("graced_hammered_workers", counter,
              "Workers that were killed because they did not leave, since the exporter knows the instance.")
      .add(of(tally.hammered()), {{"name", name}});
  book.family("graced_history_gaps", counter,
              "How often the history had forgotten entries before the exporter could count them.")
      .add(of(tally.gaps()), {{"name", name}});
  book.family("graced_reload_duration_seconds", histogram,
              "How long reloads that went well took, by stage, since the exporter knows the instance.");
  for (const auto& [stage, h] : tally.durations()) {
    for (std::size_t i = 0; i < DurationHistogram::bounds.size(); ++i)
      book.add(of(h.at_most[i]),
               {{"name", name}, {"stage", stage}, {"le", fmt::to_string(DurationHistogram::bounds[i])}},
               "_bucket");
    book.add(of(h.count), {{"name", name}, {"stage", stage}, {"le", "+Inf"}}, "_bucket");
    book.add(h.sum, {{"name", name}, {"stage", stage}}, "_sum");
    book.add(of(h.count), {{"name", name}, {"stage", stage}}, "_count");
  }
}

void add_probes(MetricBook& book, const Seen& seen) {
  for (std::size_t i = 0; i < seen.report().probes.size(); ++i) {
    const ProbeReport& p = seen.report().probes[i];
    const std::string probe = fmt::to_string(i + 1);
    const MetricBook::Labels labels{{"name", seen.name}, {"probe", probe}};
    book.family("graced_probe_passed", gauge, "Whether a probe has passed, by its place among the options.")
        .add(of(p.passed), labels);
    book.family("graced_probe_passes", gauge, "Looks in a row of a probe that passed.").add(p.passes, labels);
    book.family("graced_probe_fails", gauge, "Looks in a row of a probe that failed.").add(p.fails, labels);
  }
}

void add_canary(MetricBook& book, const Seen& seen) {
  const auto& canary = seen.report().canary;
  book.family("graced_canary_share_ratio", gauge,
              "Share of the new connections that the candidate gets, 0 to 1; 0: there is no canary.")
      .add(canary ? canary->per_mille / 1000.0 : 0, {{"name", seen.name}});
  if (!canary) return;
  book.family("graced_canary_step", gauge, "Step of the canary that runs, from 1.")
      .add(canary->step, {{"name", seen.name}});
  book.family("graced_canary_steps", gauge, "How many steps it has.").add(canary->steps, {{"name", seen.name}});
}

void add_addresses(MetricBook& book, const Seen& seen) {
  for (const AddressLoad& a : seen.observed.addresses) {
    const auto add = [&](std::string_view name, MetricType type, std::string_view help, const auto& number) {
      if (number)
        book.family(name, type, help)
            .add(static_cast<double>(*number), {{"name", seen.name}, {"address", a.address}});
    };
    add("graced_accept_queue_length", gauge, "Connections that wait to be accepted, at an address.", a.waiting);
    add("graced_accept_queue_limit", gauge, "How many may wait there.", a.longest);
    add("graced_accept_queue_drops", counter,
        "Connections, or datagrams, that had no room there, since the exporter knows the instance.",
        seen.tally.drops(a.address));
    add("graced_address_connections", gauge, "Open connections that were accepted at an address.", a.connected);
  }
}

// Only where graced counts them: see status.
void add_datagrams(MetricBook& book, const Seen& seen) {
  const auto& came = seen.tally.datagrams();
  if (seen.report().datagrams.empty() && came.empty()) return;
  std::map<std::string_view, std::uint64_t> flows;
  for (const DatagramReport& d : seen.report().datagrams)
    flows[role_of(seen.report(), d.generation)] += d.flows;
  book.family("graced_udp_flows", gauge, "UDP flows that are remembered, by the role of their generation.");
  for (const std::string_view role : roles)
    if (flows.contains(role)) book.add(of(flows[role]), {{"name", seen.name}, {"role", role}});
  book.family("graced_udp_datagrams", counter,
              "Datagrams that came to the UDP sockets of generations by their role then, since the exporter "
              "knows it.");
  for (const auto& [role, datagrams] : came) book.add(of(datagrams), {{"name", seen.name}, {"role", role}});
}

void add_usage(MetricBook& book, const Seen& seen) {
  std::map<std::string_view, std::optional<std::uint64_t>> memory;
  std::map<std::string_view, std::optional<std::uint64_t>> connections;
  const auto sum = [](auto& into, const auto& more) {
    if (more) into = into.value_or(0) + *more;
  };
  for (const GenerationLoad& g : seen.observed.generations) {
    const std::string_view role = role_of(seen.report(), g.generation);
    sum(memory[role], g.memory);
    sum(connections[role], g.connections);
  }
  book.family("graced_connections", gauge, "Open connections of workers, by the role of their generation.");
  for (const std::string_view role : roles)
    if (const auto& n = connections[role]) book.add(of(*n), {{"name", seen.name}, {"role", role}});
  book.family("graced_memory_bytes", gauge,
              "Memory of workers, by the role of their generation: of its cgroup, else resident.");
  for (const std::string_view role : roles)
    if (const auto& bytes = memory[role]) book.add(of(*bytes), {{"name", seen.name}, {"role", role}});
  book.family(
      "graced_cpu_seconds", counter,
      "CPU time of workers by the role of their generation when they ran, since the exporter knows it.");
  for (const auto& [role, ran] : seen.tally.cpu())
    book.add(seconds(ran), {{"name", seen.name}, {"role", role}});

  const SupervisorLoad& own = seen.observed.supervisor;
  if (own.descriptors)
    book.family("graced_open_fds", gauge, "Descriptors that graced itself has open.")
        .add(of(*own.descriptors), {{"name", seen.name}});
  if (own.memory)
    book.family("graced_pss_bytes", gauge, "Memory of graced itself; of shared pages its share.")
        .add(of(*own.memory), {{"name", seen.name}});
  if (own.cpu)
    book.family("graced_own_cpu_seconds", counter, "CPU time of graced itself since it began.")
        .add(seconds(*own.cpu), {{"name", seen.name}});
}

}  // namespace graced
