#include "daemon/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "core/version.h"
#include "daemon/announcer.h"
#include "linux/base/own_process.h"
#include "linux/sockets/multicast.h"
#include "options/option_values.h"

namespace graced {

namespace {

std::string text_of(Handoff::How how) {
  switch (how) {
    case Handoff::How::switched:
      return "switched";
    case Handoff::How::shared:
      return "shared";
    case Handoff::How::not_at_all:
      return "none";
    case Handoff::How::own_program:
      return "own-program";
    case Handoff::How::multicast:
      return "multicast";
  }
  return "";
}

void add_plan(InstanceReport& report, GenerationId generation, const Plan& plan, const ReportSources& from) {
  report.command = fmt::format("{}", fmt::join(plan.command, " "));
  report.executable = plan.artefact->executable();
  Artefact::Look look = from.artefacts.look(plan.artefact);
  report.executable_replaced = look.from_descriptor;
  report.changed = std::move(look.changed);
  for (const PassedSocket& s : plan.sockets)
    report.addresses.push_back({s.name, s.listener->address(),
                                hears_multicast(s.listener->fd())  ? "multicast"
                                : from.addresses.switches(plan, s) ? "switched"
                                                                   : "shared"});
  for (const Handoff::Address& a : from.addresses.handoff().adopted_addresses(generation))
    report.addresses.push_back({"adopted", a.address, text_of(a.how)});
}

// What comes to a worker if it goes on as it does: "killed".
struct Step {
  Instant at = no_deadline;  // `no_deadline`: nothing does
  std::string what{};
};

Step next_step(const WorkerStatus& w, const WorkerProcess& process, const Addresses& addresses, Instant now) {
  switch (w.state) {
    case WorkerState::starting: {
      const Plan* plan = addresses.find_plan(w.generation);
      return {w.deadline, plan && plan->options.policy.ready == ReadyRule::after ? "ready" : "given up"};
    }
    case WorkerState::settling:
      return {w.deadline, "SIG" + signal_name(process.drain_signal)};
    case WorkerState::retiring:
      if (w.last_call < w.deadline && now < w.last_call) return {w.last_call, "closed"};
      return {w.deadline, "SIG" + signal_name(process.drain_signal)};
    case WorkerState::draining:
      if (w.last_call != no_deadline && now < w.last_call && addresses.handoff().retirement(w.worker))
        return {w.last_call, "closed"};
      return {w.killed_at, "killed"};
    case WorkerState::ready:
    case WorkerState::standby:
    case WorkerState::killed:
      break;
  }
  return {};
}

std::optional<ExitReport> last_exit(const ReportSources& from, Instant now) {
  if (!from.pump.status().last_exit) return std::nullopt;
  const ExitStatus& last = *from.pump.status().last_exit;
  ExitReport e{
      .generation = last.generation.value, .slot = last.slot, .how = last.exit.how, .age = now - last.at};
  if (last.exit.signal != 0) {
    e.signal = "SIG" + signal_name(last.exit.signal);
  } else if (last.gone) {
    e.status = last.exit.status;
  }
  if (const Departed* departed = from.reaper.departed(last.worker)) {
    e.pid = departed->pid;
    e.lived = departed->lived;
    e.last_lines = departed->last_lines;
  } else if (const WorkerProcess* leaving = from.workers.find(last.worker)) {
    e.pid = leaving->pid;
    e.lived = last.at - leaving->started;
    e.last_lines = leaving->outputs.last_words();
  }
  return e;
}

WorkerReport worker_report(const WorkerStatus& w, const WorkerProcess& process, const Addresses& addresses,
                           Instant now) {
  WorkerReport worker;
  worker.generation = w.generation.value;
  worker.slot = w.slot;
  worker.pid = process.pid;
  worker.state = shown_state(w);
  worker.age = now - process.started;
  const Step next = next_step(w, process, addresses, now);
  if (next.at != no_deadline) worker.left = std::max(Duration{}, next.at - now);
  worker.then = next.what;
  if (const Retirement* retirement = addresses.handoff().retirement(w.worker)) {
    const Connections& seen = retirement->seen();
    if (retirement->has_looked()) {
      worker.connections = seen.busy + seen.idle + seen.unix_connections;
      worker.queued = seen.queued + seen.half_open;
    }
    worker.quiet = seen.quiet;
    worker.waits_for = retirement->waits_for();
  } else if (addresses.handoff().datagrams().is_retired(w.worker)) {
    worker.waits_for = addresses.handoff().datagrams().waits_for(w.worker);
  } else if (w.state == WorkerState::draining && !process.rest) {
    worker.waits_for = "its exit";
  }
  if (!process.stopped_by.empty()) worker.waits_for = "stopped by " + process.stopped_by;
  if (process.rest) {
    worker.waits_for +=
        fmt::format("{}{} of it finishes", worker.waits_for.empty() ? "" : ", ", process.rest->text());
  }
  worker.status = process.status;
  worker.last_lines = process.outputs.last_words();
  return worker;
}

void add_survivors(InstanceReport& report, const ReportSources& from, Instant now) {
  const auto& survivors = from.pump.status().survivors;
  if (!survivors) return;
  for (const Survivors::Survivor& left : from.before.survivors.left()) {
    WorkerReport& w = report.workers.emplace_back();
    w.generation = left.generation;
    w.slot = left.slot;
    w.pid = left.pid;
    w.state = to_text(survivors->state);
    w.age = survivors->state == WorkerState::ready ? now - from.since : now - survivors->since;
    if (survivors->deadline != no_deadline) {
      w.left = std::max(Duration{}, survivors->deadline - now);
      w.then = "killed";
    }
    const std::string of_whom =
        left.rest.empty() ? "of the graced before" : left.rest + " of the graced before";
    w.waits_for = of_whom + (survivors->state == WorkerState::ready ? " serves" : " finishes");
  }
}

// It is no worker of ours, and of no generation.
void add_taken(InstanceReport& report, const ReportSources& from, Instant now) {
  const auto& status = from.pump.status().taken;
  const auto& server = from.before.takeover.server();
  if (!status || !server) return;
  WorkerReport& w = report.workers.emplace_back();
  w.pid = server->pid();
  w.state = shown_state(*status);
  w.age = now - status->since;
  const bool retires = status->state == WorkerState::retiring;
  if (status->deadline != no_deadline && (retires || !from.before.takeover.ended_elsewhere())) {
    w.left = std::max(Duration{}, status->deadline - now);
    w.then = retires ? "told to leave" : "killed";
  }
  w.waits_for = fmt::format("{} is taken over", from.before.takeover.text());
  if (const Retirement* retirement = from.addresses.handoff().retirement(taken_worker)) {
    const Connections& seen = retirement->seen();
    w.connections = seen.busy + seen.idle + seen.unix_connections;
    w.queued = seen.queued + seen.half_open;
    w.quiet = seen.quiet;
    if (const std::string waits = retirement->waits_for(); !waits.empty()) w.waits_for += ", " + waits;
  }
}

}  // namespace

InstanceReport report_of(const ReportSources& from) {
  const Instant now = monotonic_now();
  const Status& status = from.pump.status();
  InstanceReport r;
  r.name = from.options.name;
  r.version = own_version();
  r.pid = own_pid();
  r.phase = to_text(status.phase);
  r.age = now - from.since;
  r.config = from.options.config.value_or("");
  r.serving = status.serving.value_or(GenerationId{}).value;
  r.candidate = status.candidate.value_or(GenerationId{}).value;
  if (status.probation) {
    r.standby = status.probation->standby.value;
    r.probation_left = std::max(Duration{}, status.probation->until - now);
  }
  r.rollbacks = status.rollbacks;
  r.workers_asked = status.workers_asked;
  r.workers_missing = status.missing;
  r.last_exit = last_exit(from, now);
  r.check = from.preflight.report(now);
  if (const auto& s = status.surge)
    r.batches = BatchesReport{s->batches, s->serve, s->size, s->under_way, s->leaving};
  for (const ProbeStatus& p : status.probes) r.probes.push_back({p.what, p.passed, p.passes, p.fails, p.saw});
  if (const auto& canary = status.canary) {
    CanaryReport& c = r.canary.emplace(CanaryReport{canary->per_mille, canary->step, canary->steps});
    if (canary->until != no_deadline) c.left = std::max(Duration{}, canary->until - now);
    if (const auto counts = from.addresses.handoff().share_counts()) {
      c.of_candidate = counts->shared;
      c.of_serving = counts->others;
    }
  }
  for (const ProbeStatus& p : status.watched) r.watched.push_back({p.what, p.passed, p.passes, p.fails, p.saw});
  r.replaces = status.replaces.value_or(GenerationId{}).value;
  if (const auto& last = status.last_replacement) {
    r.last_replacement = ReplacementReport{last->replaced.value, last->by.value, last->ok,
                                           from.failure.in_full(last->by, last->why), now - last->at};
  }
  r.reloads = status.reloads;
  r.failed_reloads = status.failed_reloads;
  r.restarts = status.restarts;
  r.reload_queued = status.reload_queued;
  if (status.next_restart) r.next_restart = std::max(Duration{}, *status.next_restart - now);
  if (const auto& last = status.last_reload) {
    r.last_reload = ReloadReport{last->generation.value, last->ok,
                                 last->ok ? "" : from.failure.in_full(last->generation, last->why),
                                 now - last->at, last->took};
  }

  const GenerationId shown = status.serving.value_or(status.candidate.value_or(GenerationId{}));
  const Plan* plan = from.addresses.find_plan(shown);
  if (plan) add_plan(r, shown, *plan, from);
  r.self_upgrade = plan ? plan->options.self_upgrade : from.options.self_upgrade;
  for (const Cgroups::Usage& u : from.cgroups.usage()) r.generations.push_back({u.generation, u.memory, u.cpu});
  for (const auto& [generation, traffic] : from.addresses.handoff().datagrams().traffic())
    r.datagrams.push_back({generation.value, traffic.flows, traffic.datagrams});
  for (const WorkerStatus& w : status.workers) {
    if (const WorkerProcess* process = from.workers.find(w.worker))
      r.workers.push_back(worker_report(w, *process, from.addresses, now));
  }
  add_survivors(r, from, now);
  add_taken(r, from, now);
  from.upgrading.add_to(r, now);
  return r;
}

}  // namespace graced
