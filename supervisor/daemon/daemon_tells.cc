// What the daemon tells others: the control socket's listeners, the service manager above, whoever asks.
#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>

#include "core/phase_limit.h"
#include "core/story.h"
#include "daemon/daemon.h"
#include "options/option_values.h"

namespace graced {

namespace {

// Both lists are in the order of their ids.
const WorkerStatus* find_in(const std::vector<WorkerStatus>& workers, WorkerId id) {
  const auto at = std::ranges::lower_bound(workers, id, {}, &WorkerStatus::worker);
  return at != workers.end() && at->worker == id ? &*at : nullptr;
}

// To whoever looks, one that gets no new connections is draining, told or not. One that has never served has
// nothing to finish.
std::string shown_state(const WorkerStatus& w) {
  switch (w.state) {
    case WorkerState::settling:
    case WorkerState::retiring:
    case WorkerState::draining:
      return w.thrown_away ? "leaving" : std::string(to_text(WorkerState::draining));
    case WorkerState::starting:
    case WorkerState::ready:
    case WorkerState::killed:
      break;
  }
  return std::string(to_text(w.state));
}

}  // namespace

void Daemon::tell_of_workers() {
  const std::vector<WorkerStatus>& workers = status_.workers;
  for (const WorkerStatus& told : told_workers_) {
    if (!find_in(workers, told.worker)) control_->worker_changed(told.generation.value, told.slot, 0, "gone");
  }
  for (const WorkerStatus& w : workers) {
    const WorkerStatus* told = find_in(told_workers_, w.worker);
    if (told && told->state == w.state) continue;
    const WorkerProcess* process = workers_.find(w.worker);
    if (!process) continue;  // not started yet
    control_->worker_changed(w.generation.value, w.slot, process->pid,
                             w.thrown_away ? shown_state(w) : std::string(to_text(w.state)));
    if (w.state == WorkerState::ready) {
      log_.info(about(*process), "is ready after {}", to_rough_text(monotonic_now() - process->started));
      handoff_.is_ready(w.worker);
      // Of a candidate's once, at the switch.
      if (w.generation == status_.serving) listener_watch_.look_again();
    }
  }
  told_workers_ = workers;
}

void Daemon::tell_of_restarts() {
  const auto& last = status_.last_exit;
  std::erase_if(departed_, [&](const auto& d) { return !last || d.first != last->worker; });
  for (const RestartStatus& r : status_.waiting) {
    if (std::ranges::find(told_restarts_, r.of, &RestartStatus::of) != told_restarts_.end()) continue;
    if (r.at == no_deadline) continue;
    const bool named = last && last->worker == r.of;
    const Duration in = r.at - (named ? last->at : monotonic_now());
    const std::string when = in <= 0s ? "at once" : "in " + to_rough_text(in);
    const LogFields about{.generation = r.generation.value, .worker = r.slot};
    // How one ended that is gone was told.
    if (named && !last->gone) {
      log_.warning(about, "{}; another one is started {}", last->exit.how, when);
    } else {
      log_.info(about, "is started again {}", when);
    }
  }
  told_restarts_ = status_.waiting;
}

void Daemon::tell_of_phase() {
  const Status& status = status_;
  if (manager_.anybody()) tell_service_manager();
  if (status.phase == told_phase_) return;
  told_phase_ = status.phase;
  control_->phase_changed(std::string(to_text(status.phase)));
}

void Daemon::tell_service_manager() {
  const Status& status = status_;
  manager_.tell({.phase = course_of(status),
                 .story = ended_because_.empty() ? story_of(status) : ended_because_,
                 .limit = phase_limit(status, core_.next_deadline()),
                 .error = failure_.error(),
                 .exit_status = exit_status_},
                monotonic_now());
  watch_upstream();
}

void Daemon::watch_upstream() {
  if (!manager_.behind() || manager_writable_) return;
  manager_writable_ = loop_.on_fd(manager_.fd(), EPOLLOUT, Priority::output, [this] {
    manager_.flush();
    if (!manager_.behind()) manager_writable_ = Source();
  });
}

namespace {

std::string text_of(Handoff::How how) {
  switch (how) {
    case Handoff::How::switched:
      return "switched";
    case Handoff::How::shared:
      return "shared";
    case Handoff::How::not_at_all:
      return "none";
  }
  return "";
}

}  // namespace

void Daemon::add_addresses(InstanceReport& report, GenerationId generation, const Plan& plan) {
  for (const PassedSocket& s : plan.sockets) {
    const bool switched = s.switched || (plan.handoff.sets && !starts_at_once_ && sets_.switches(s.listener));
    report.addresses.push_back({s.name, s.listener->address(), switched ? "switched" : "shared"});
  }
  for (const Handoff::Address& a : handoff_.adopted_addresses(generation))
    report.addresses.push_back({"adopted", a.address, text_of(a.how)});
}

Daemon::Step Daemon::next_step(const WorkerStatus& w, const WorkerProcess& process, Instant now) const {
  switch (w.state) {
    case WorkerState::starting: {
      const auto plan = plans_.find(w.generation);
      const bool gets_ready = plan != plans_.end() && plan->second.options.policy.ready == ReadyRule::after;
      return {w.deadline, gets_ready ? "ready" : "given up"};
    }
    case WorkerState::settling:
      return {w.deadline, "SIG" + signal_name(process.drain_signal)};
    case WorkerState::retiring:
      if (w.last_call < w.deadline && now < w.last_call) return {w.last_call, "closed"};
      return {w.deadline, "SIG" + signal_name(process.drain_signal)};
    case WorkerState::draining:
      if (w.last_call != no_deadline && now < w.last_call && handoff_.retirement(w.worker))
        return {w.last_call, "closed"};
      return {w.killed_at, "killed"};
    case WorkerState::ready:
    case WorkerState::killed:
      break;
  }
  return {no_deadline, ""};
}

std::optional<ExitReport> Daemon::last_exit(Instant now) const {
  if (!status_.last_exit) return std::nullopt;
  const ExitStatus& last = *status_.last_exit;
  ExitReport e{
      .generation = last.generation.value, .slot = last.slot, .how = last.exit.how, .age = now - last.at};
  if (last.exit.signal != 0) {
    e.signal = "SIG" + signal_name(last.exit.signal);
  } else if (last.gone) {
    e.status = last.exit.status;
  }
  if (const auto departed = departed_.find(last.worker); departed != departed_.end()) {
    e.pid = departed->second.pid;
    e.lived = departed->second.lived;
    e.last_lines = departed->second.last_lines;
  } else if (const WorkerProcess* leaving = workers_.find(last.worker)) {
    e.pid = leaving->pid;
    e.lived = last.at - leaving->started;
    e.last_lines = leaving->outputs.last_words();
  }
  return e;
}

InstanceReport Daemon::report() {
  const Instant now = monotonic_now();
  const Status& status = status_;
  InstanceReport r;
  r.name = first_options_.name;
  r.version = GRACED_VERSION;
  r.pid = ::getpid();
  r.phase = to_text(status.phase);
  r.age = now - started_;
  r.config = first_options_.config.value_or("");
  r.serving = status.serving.value_or(GenerationId{}).value;
  r.candidate = status.candidate.value_or(GenerationId{}).value;
  r.workers_asked = status.workers_asked;
  r.last_exit = last_exit(now);
  if (check_) r.check = CheckReport{check_->command, now - check_->began};
  r.reloads = status.reloads;
  r.failed_reloads = status.failed_reloads;
  r.restarts = status.restarts;
  r.reload_queued = status.reload_queued;
  if (status.next_restart) r.next_restart = std::max(Duration{}, *status.next_restart - now);
  if (const auto& last = status.last_reload) {
    r.last_reload =
        ReloadReport{last->generation.value, last->ok,
                     last->ok ? "" : failure_.in_full(last->generation, last->why), now - last->at, last->took};
  }

  const auto plan = plans_.find(status.serving.value_or(status.candidate.value_or(GenerationId{})));
  if (plan != plans_.end()) {
    r.command = fmt::format("{}", fmt::join(plan->second.command, " "));
    const Artefact& artefact = plan->second.artefact;
    r.executable = artefact.executable();
    r.executable_replaced = artefact.runs_from_descriptor();
    r.changed = artefact.changed();
    add_addresses(r, plan->first, plan->second);
  }
  for (const Cgroups::Usage& u : cgroups_.usage()) r.generations.push_back({u.generation, u.memory, u.cpu});
  for (const WorkerStatus& w : status.workers) {
    const WorkerProcess* process = workers_.find(w.worker);
    if (!process) continue;
    WorkerReport& worker = r.workers.emplace_back();
    worker.generation = w.generation.value;
    worker.slot = w.slot;
    worker.pid = process->pid;
    worker.state = shown_state(w);
    worker.age = now - process->started;
    const Step next = next_step(w, *process, now);
    if (next.at != no_deadline) worker.left = std::max(Duration{}, next.at - now);
    worker.then = next.what;
    if (const Retirement* retirement = handoff_.retirement(w.worker)) {
      const Connections& seen = retirement->seen();
      if (retirement->has_looked()) {
        worker.connections = seen.busy + seen.idle + seen.unix_connections;
        worker.queued = seen.queued + seen.half_open;
      }
      worker.quiet = seen.quiet;
      worker.waits_for = retirement->waits_for();
    } else if (w.state == WorkerState::draining && !process->rest) {
      worker.waits_for = "its exit";
    }
    if (!process->stopped_by.empty()) worker.waits_for = "stopped by " + process->stopped_by;
    if (process->rest) {
      worker.waits_for +=
          fmt::format("{}{} of it finishes", worker.waits_for.empty() ? "" : ", ", process->rest->text());
    }
    worker.status = process->status;
    worker.last_lines = process->outputs.last_words();
  }
  return r;
}

}  // namespace graced
