// The daemon's hands on processes: starting, hearing, ending and reaping them.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "core/notify_text.h"
#include "daemon/daemon.h"
#include "daemon/drain_advice.h"
#include "linux/base/duplicate.h"
#include "linux/proc/process.h"
#include "linux/proc/signal_care.h"
#include "linux/seccomp/adoption_filter.h"
#include "options/option_values.h"

namespace graced {

namespace {

// A worker in any language reads a bare number.
std::string in_seconds(Duration d) {
  return d >= infinity ? "infinity" : fmt::format("{}", std::chrono::duration<double>(d).count());
}

}  // namespace

Launch Daemon::launch_in(const Plan& plan, GenerationId generation, std::vector<std::string> command,
                         const OutputPipes& pipes) {
  Launch launch = launch_of(plan, std::move(command));
  launch.environment.push_back("NOTIFY_SOCKET=" + notify_.path());
  launch.environment.push_back("GRACED_NAME=" + first_options_.name);
  launch.environment.push_back("GRACED_CONTROL=" + instance_.control_path());
  launch.environment.push_back(fmt::format("GRACED_GENERATION={}", generation.value));
  const Policy& policy = plan.options.policy;
  launch.environment.push_back("GRACED_DRAIN_TIMEOUT=" + in_seconds(policy.drain_timeout));
  launch.environment.push_back("GRACED_STOP_TIMEOUT=" + in_seconds(policy.stop_timeout));
  if (policy.drain == DrainRule::idle)
    launch.environment.push_back("GRACED_DRAIN_GRACE=" + in_seconds(policy.drain_grace));
  launch.stdin_fd = dev_null_.get();
  launch.stdout_fd = pipes.out ? pipes.out->worker_end.get() : -1;
  launch.stderr_fd = pipes.err ? pipes.err->worker_end.get() : -1;
  launch.kept_capabilities = plan.options.kept_capabilities;
  launch.cgroup_fd = cgroups_.enter(generation.value);
  return launch;
}

void Daemon::perform(const Spawn& a) {
  const Plan& plan = plans_.at(a.generation);
  try {
    OutputPipes pipes = make_pipes(plan, plan.options.watch_stderr);
    Launch launch = launch_in(plan, a.generation, plan.command, pipes);
    launch.environment.push_back(fmt::format("GRACED_WORKER={}", a.slot));
    launch.program = plan.artefact.program();

    if (plan.handoff.adopt) {
      const AdoptionCapability& capability = plan.handoff.adoption;
      launch.adoption =
          Launch::Adoption{&adoption_filter(), capability.needs_no_new_privs, capability.wait_killable};
    }

    auto result = spawn(launch);
    if (const auto* failed = std::get_if<SpawnFailed>(&result)) {
      not_started(a, {failed->why, failed->missing ? 127 : 126});
      return;
    }
    auto& process = std::get<Spawned>(result);
    WorkerProcess& worker = workers_.add();
    worker.id = a.worker;
    worker.generation = a.generation;
    worker.slot = a.slot;
    worker.pid = process.pid;
    worker.pidfd = std::move(process.pidfd);
    worker.started = monotonic_now();
    worker.drain_signal = plan.options.drain_signal;
    worker.signal_asked = plan.options.drain == DrainChoice::signal;
    worker.command = plan.command;
    worker.served = plan.served;
    worker.outputs = watch(std::move(pipes));
    if (plan.handoff.switched)
      handoff_.started(a.worker, a.generation, worker.pid, std::move(process.notifications),
                       plan.handoff.adoption.wait_killable);
    ready_.watch(attended(worker, plan), a.ready);
    if (a.watch_listening) ready_.expect_listening(a.worker, {!status_.serving, plan.options.adopt_changes});
    control_->worker_changed(a.generation.value, a.slot, worker.pid,
                             std::string(to_text(WorkerState::starting)));
    log_.info(about(worker), "started: {}", fmt::join(plan.command, " "));
    tell_of_artefact(worker, plan, launch);
  } catch (const std::exception& e) { not_started(a, {e.what(), 1}); }
}

// Of a candidate it is the reason why that failed, and told as such.
void Daemon::not_started(const Spawn& spawn, Exit why) {
  if (spawn.generation == status_.serving) {
    log_.warning({.generation = spawn.generation.value, .worker = spawn.slot}, "could not be started: {}",
                 why.how);
  }
  post(WorkerGone{spawn.worker, std::move(why)});
}

void Daemon::tell_of_artefact(const WorkerProcess& worker, const Plan& plan, const Launch& launch) {
  if (launch.program && launch.program->path.empty()) {
    log_.info(about(worker),
              "runs the file that generation {} was prepared with; {} does not lead to it any more",
              worker.generation.value, plan.artefact.executable());
  }
  if (worker.generation != status_.serving) return;
  if (const auto changed = plan.artefact.changed(); !changed.empty()) {
    log_.warning(about(worker), "may run other code than generation {} was prepared with: {} changed since",
                 worker.generation.value, fmt::join(changed, ", "));
  }
}

AttendedWorker Daemon::attended(const WorkerProcess& worker, const Plan& plan) const {
  return {worker.id, worker.pid, {worker.generation.value, worker.slot, first_options_.name}, plan.sockets};
}

// Any of its workers will do: they are of one kind.
bool Daemon::serving_waits() {
  const auto plan = plans_.find(status_.serving.value_or(GenerationId{}));
  if (plan == plans_.end()) return false;
  return std::ranges::any_of(status_.workers, [&](const WorkerStatus& s) {
    const WorkerProcess* worker = workers_.find(s.worker);
    return worker && s.generation == plan->first && s.state == WorkerState::ready &&
           ready_.is_seen_waiting(attended(*worker, plan->second));
  });
}

void Daemon::start_check(GenerationId generation) {
  const Plan& plan = plans_.at(generation);
  OutputPipes pipes = make_pipes(plan, true);
  auto result = spawn(launch_in(plan, generation, plan.check, pipes));
  if (const auto* failed = std::get_if<SpawnFailed>(&result)) {
    post(PreparationFailed{generation, "check: " + failed->why});
    return;
  }
  auto& process = std::get<Spawned>(result);
  check_ = Check{generation, process.pid, fmt::format("{}", fmt::join(plan.check, " ")), monotonic_now(),
                 watch(std::move(pipes))};
  log_.info({.generation = generation.value, .worker_pid = process.pid}, "check started: {}",
            fmt::join(plan.check, " "));
}

void Daemon::read_notifications() {
  constexpr int at_once = 32;
  for (int i = 0; i < at_once; ++i) {
    const auto said = notify_.receive();
    if (!said) return;
    heard(*said);
  }
}

void Daemon::heard(const Notification& said) {
  const NotifyText text = parse_notify_text(said.text);
  WorkerProcess* worker = said.sender > 0 ? workers_.speaker(said) : nullptr;
  if (!worker) {
    if (text.ready && said.sender > 0) ignore_ready(said.sender);
    return;
  }
  if (text.status && *text.status != worker->status) {
    worker->status = *text.status;
    log_.debug(about(*worker), "says: {}", worker->status);
  }
  ignored_words_.heard(worker->generation, text.ignored);
  const WorkerId id = worker->id;
  if (text.ready) ready_.said_ready(id, said.sender);
  if (text.extend_timeout) happens(WorkerAsksTime{id, *text.extend_timeout});
  if (text.stopping) happens(WorkerStopping{id});
}

void Daemon::ignore_ready(pid_t sender) {
  if (!status_.candidate) return;
  const std::string remark =
      parent_of(sender) ? fmt::format("READY=1 came from PID {} ({}), which is no process of the worker's",
                                      sender, name_of(sender))
                        : fmt::format(
                              "READY=1 came from PID {}, which was gone before it could be told whose it was; "
                              "let it wait, as systemd-notify does",
                              sender);
  if (failure_.note_stranger(remark)) log_.warning("ignored: {}", remark);
}

void Daemon::perform(const Retire& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w) return;
  ready_.forget(a.worker);
  const WorkerStatus* s = status_of(a.worker);
  const bool ends = s && s->deadline != no_deadline;
  log_.info(about(*w), "gets no new connections; it is told to leave when it has finished those it has{}",
            ends ? fmt::format(", or after {}", to_rough_text(s->deadline - s->since)) : "");
  w->retired = true;
  advise(*w, DrainRule::idle);
  // Of several workers it could not be told whose connections are in there.
  const bool alone = workers_.count(w->generation) == 1;
  const bool restarts = status_.phase == Phase::stopping && is_followed();
  handoff_.retire(a.worker, alone ? cgroups_.directory_of(w->generation.value) : std::nullopt, restarts);
}

void Daemon::perform(const Settle& a) {
  std::vector<Fd> adopted;
  std::vector<std::pair<WorkerId, pid_t>> workers;
  for (const WorkerProcess& w : workers_) {
    if (w.generation != a.generation) continue;
    ready_.forget(w.id);
    workers.emplace_back(w.id, w.pid);
    for (const int fd : handoff_.listening_sockets(w.id)) adopted.push_back(duplicate(fd));
  }
  const Plan& plan = plans_.at(*status_.serving);
  ArrivalPlaces places(sets_.sockets_of(a.generation), std::move(adopted),
                       static_cast<int>(plan.sockets.size()));
  if (settlements_.begin(a.generation, workers, std::move(places), plan.options.policy.settle))
    return post(Settled{a.generation});
  log_.debug({.generation = a.generation.value},
             "gets no new connections; it is told to leave when all who have just connected have been heard");
}

void Daemon::perform(const Drain& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w) return;
  const WorkerStatus* s = status_of(a.worker);
  if (const Retirement* retirement = handoff_.retirement(a.worker); retirement && s)
    log_.warning(about(*w), "still has {}, and is told to leave{}", retirement->waits_for(),
                 s->last_call <= s->since || s->last_call == no_deadline
                     ? ""
                     : fmt::format("; what it has not finished after {} is closed",
                                   to_rough_text(s->last_call - s->since)));
  // Not of a candidate that failed: it has nothing in flight.
  if (status_.serving && w->generation <= *status_.serving && !w->retired) {
    advise(*w, DrainRule::signal);
    warn_of_deaf(*w);
  }
  handoff_.told_to_leave(a.worker);
  settlements_.forget(w->generation, a.worker);
  if (w->rest) {
    tell_rest(*w);
  } else {
    signal_process(*w, w->drain_signal);
    signal_process(*w, SIGCONT);  // one that is stopped would not hear it
  }
  ready_.forget(a.worker);
  told(w->generation);
  if (!s) return;
  const bool limited = s->deadline != no_deadline;
  const std::string limit = limited ? to_rough_text(s->deadline - s->since) : "";
  if (s->thrown_away) {
    log_.info(about(*w), "is thrown away: told to leave, {}",
              limited ? "killed after " + limit + " if it has not" : "and waited for as long as it takes");
  } else {
    log_.info(about(*w), "is draining, {}", limited ? "at most " + limit : "as long as it takes");
  }
}

// By the name of the process, for that of a script is not its interpreter's; once.
void Daemon::advise(const WorkerProcess& worker, DrainRule rule) {
  const auto advice = drain_advice(name_of(worker.pid), rule, signal_name(worker.drain_signal), worker.command);
  if (advice && told_notes_.insert(*advice).second) log_.info(about(worker), "{}", *advice);
}

// Who asked for the signal by name relies on it.
void Daemon::warn_of_deaf(const WorkerProcess& worker) {
  if (!worker.signal_asked || cares_for(worker.pid, worker.drain_signal) != false) return;
  const std::string warning = fmt::format(
      "SIG{} is neither caught, blocked nor ignored: it ends with what it has in flight; --drain-signal names "
      "the signal "
      "on which it finishes, with --drain idle its connections end first",
      signal_name(worker.drain_signal));
  if (told_notes_.insert(warning).second) log_.warning(about(worker), "{}", warning);
}

void Daemon::perform(const Kill& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w) return;
  log_.warning(about(*w), "is hammered (SIGKILL), with all that it started");
  settlements_.forget(w->generation, a.worker);
  if (w->rest) {
    look_at_rest(*w);
    w->rest->kill();
  } else {
    end_all_below(w->pid);
  }
  // All of a generation: then there is nobody who could hide.
  const bool all = std::ranges::all_of(status_.workers, [&](const WorkerStatus& s) {
    return s.generation != w->generation || s.state == WorkerState::killed;
  });
  if (all) cgroups_.kill(w->generation.value);
}

// Nobody gets what a worker listened on that is not replaced: clients are refused, unless another graced comes.
void Daemon::perform(const Lost& a) {
  const bool stopping = status_.phase == Phase::stopping || status_.phase == Phase::finished;
  handoff_.gone(a.worker, a.replaced                  ? Handoff::Follows::replacement
                          : stopping && is_followed() ? Handoff::Follows::next_graced
                                                      : Handoff::Follows::none);
}

void Daemon::limit_draining(const RunOptions& options) {
  if (!options.draining_memory_high) return;
  for (const WorkerProcess& w : workers_) {
    if (w.generation == status_.serving || w.generation == status_.candidate) continue;
    cgroups_.set_memory_high(w.generation.value, *options.draining_memory_high);
  }
}

// What the last one of them has left behind ends with it.
void Daemon::leave_cgroup_if_empty(GenerationId generation) {
  if (workers_.count(generation) == 0) cgroups_.leave(generation.value);
}

// Is one of its workers left that has not been told to leave?
void Daemon::told(GenerationId generation) {
  const bool all = std::ranges::none_of(status_.workers, [&](const WorkerStatus& w) {
    return w.generation == generation && w.state != WorkerState::draining && w.state != WorkerState::killed;
  });
  if (all) sets_.told(generation);
}

void Daemon::give_up_sockets_if_empty(GenerationId generation) {
  const bool wanted = generation == status_.serving || generation == status_.candidate;
  if (!wanted && workers_.count(generation) == 0) sets_.gone(generation);
}

void Daemon::reap() {
  hear_of_stops();
  bool any_worker = false;
  bool any_orphan = false;
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) break;
    read_notifications();  // what it said before it went
    if (WorkerProcess* worker = workers_.find_pid(info.si_pid)) {
      any_worker = true;
      process_ended(*worker, info);
    } else if (check_ && check_->pid == info.si_pid) {
      check_ended(info);
    } else {
      ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED);  // an orphan that came to us
      any_orphan = true;
    }
  }
  if (any_worker) listener_watch_.look_again();
  if (!any_orphan) return;
  cgroups_.tidy_up();
  look_at_rests();
}

void Daemon::check_ended(const siginfo_t& info) {
  Check check = *std::exchange(check_, std::nullopt);
  ::kill(-check.pid, SIGKILL);
  check.outputs.drain();
  siginfo_t reaped{};
  ::waitid(P_PID, static_cast<id_t>(info.si_pid), &reaped, WEXITED);

  const Exit exit = exit_of(info);
  const bool wanted = status_.candidate == check.generation;
  std::vector<std::string> last_words = check.outputs.last_words();
  check.outputs.release();
  if (!wanted) return;
  if (exit.status == 0) {
    happens(Prepared{check.generation, plans_.at(check.generation).options.policy});
  } else {
    failure_.note_last_words(check.generation, std::move(last_words));
    happens(PreparationFailed{check.generation, "check: " + exit.how});
  }
}

const WorkerStatus* Daemon::status_of(WorkerId worker) const {
  const auto found = std::ranges::find(status_.workers, worker, &WorkerStatus::worker);
  return found == status_.workers.end() ? nullptr : &*found;
}

LogFields Daemon::about(const WorkerProcess& worker) const {
  return {.generation = worker.generation.value, .worker = worker.slot, .worker_pid = worker.pid};
}

// About nobody if there is no such worker.
void Daemon::warn(WorkerId worker, const std::string& note) {
  const WorkerProcess* process = workers_.find(worker);
  log_.warning(process ? about(*process) : LogFields{}, "{}", note);
}

}  // namespace graced
