// The daemon's hands on processes: starting, hearing, watching, ending and reaping them.
#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/notify_text.h"
#include "daemon.h"
#include "linux/adoption_filter.h"
#include "linux/listening.h"
#include "linux/process.h"
#include "options/option_values.h"

namespace graced {

namespace {

// How long a worker that said READY=1 may stay busy before it is believed, see look_at(): on a
// processor, and by the clock.
constexpr Duration believe_after_running = 1ms;
constexpr Duration believe_after = 20ms;
constexpr int looks_at_once = 4;

// How long a worker must be seen listening.
constexpr Duration listening_for = 20ms;

// How long one that binds nothing must rest until it is believed to need no address.
constexpr Duration nothing_bound_for = 10s;

Exit exit_of(const siginfo_t& info) {
  switch (info.si_code) {
    case CLD_EXITED:
      return {fmt::format("exited with status {}", info.si_status), info.si_status};
    case CLD_DUMPED:
      return {fmt::format("killed by SIG{} (core dumped)", signal_name(info.si_status)), 128 + info.si_status};
    default:
      return {fmt::format("killed by SIG{}", signal_name(info.si_status)), 128 + info.si_status};
  }
}

// By its number where the kernel, or a container's filter, has no pidfds: it is still its own, as long as it is
// one of the workers it was not reaped.
void signal_process(const WorkerProcess& worker, int signo) {
  if (::syscall(SYS_pidfd_send_signal, worker.pidfd.get(), signo, nullptr, 0) != 0) ::kill(worker.pid, signo);
}

}  // namespace

// ---- starting --------------------------------------------------------------------------------

Launch Daemon::launch_in(const Plan& plan, GenerationId generation, std::vector<std::string> command,
                         const StderrPipe* pipe) {
  Launch launch = launch_of(plan, std::move(command));
  launch.environment.push_back("NOTIFY_SOCKET=" + notify_.path());
  launch.environment.push_back("GRACED_NAME=" + first_options_.name);
  launch.environment.push_back(fmt::format("GRACED_GENERATION={}", generation.value));
  launch.stdin_fd = dev_null_.get();
  launch.stderr_fd = pipe ? pipe->worker_end.get() : -1;
  launch.signal_mask = started_with_.signal_mask;
  launch.cgroup_fd = cgroups_.enter(generation.value);
  return launch;
}

void Daemon::perform(const Spawn& a) {
  const Plan& plan = plans_.at(a.generation);
  try {
    std::optional<StderrPipe> pipe;
    if (plan.options.watch_stderr) pipe = make_stderr_pipe();
    Launch launch = launch_in(plan, a.generation, plan.command, pipe ? &*pipe : nullptr);
    launch.environment.push_back(fmt::format("GRACED_WORKER={}", a.slot));

    if (plan.handoff.adopt) {
      const AdoptionMeans& means = plan.handoff.adoption;
      launch.adoption = Launch::Adoption{&adoption_filter(), means.needs_no_new_privs, means.wait_killable};
    }

    auto result = spawn(launch);
    if (const auto* failed = std::get_if<SpawnFailed>(&result)) {
      post(WorkerGone{a.worker, {failed->why, failed->missing ? 127 : 126}});
      return;
    }
    auto& process = std::get<Spawned>(result);
    WorkerProcess& worker = workers_.emplace_back();
    worker.id = a.worker;
    worker.generation = a.generation;
    worker.slot = a.slot;
    worker.pid = process.pid;
    worker.pidfd = std::move(process.pidfd);
    worker.started = monotonic_now();
    worker.drain_signal = plan.options.drain_signal;
    worker.drain_idle = plan.options.drain_idle;
    worker.watch_listening = a.watch_listening;
    if (pipe) worker.output = stderr_.watch(std::move(pipe->read_end));
    if (plan.handoff.switched)
      handoff_.started(a.worker, a.generation, worker.pid, std::move(process.notifications),
                        plan.handoff.adoption.wait_killable);
    if (a.watch_listening) look_soon(worker.started + 5ms);
    control_->worker_changed(a.generation.value, a.slot, worker.pid,
                             std::string(to_text(WorkerState::starting)));
    log_.info(about(worker), "started: {}", fmt::join(plan.command, " "));
  } catch (const std::exception& e) { post(WorkerGone{a.worker, {e.what(), 1}}); }
}

void Daemon::start_check(GenerationId generation) {
  const Plan& plan = plans_.at(generation);
  StderrPipe pipe = make_stderr_pipe();
  auto result = spawn(launch_in(plan, generation, plan.check, &pipe));
  if (const auto* failed = std::get_if<SpawnFailed>(&result)) {
    post(PreparationFailed{generation, "check: " + failed->why});
    return;
  }
  auto& process = std::get<Spawned>(result);
  check_ = Check{generation, process.pid, stderr_.watch(std::move(pipe.read_end))};
  log_.info({.generation = generation.value, .worker_pid = process.pid}, "check started: {}",
            fmt::join(plan.check, " "));
}

// ---- hearing ---------------------------------------------------------------------------------

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
  WorkerProcess* worker = said.sender > 0 ? speaker(said) : nullptr;
  if (!worker) {
    if (text.ready && said.sender > 0) ignore_ready(said.sender);
    return;
  }
  if (text.status && *text.status != worker->status) {
    worker->status = *text.status;
    log_.debug(about(*worker), "says: {}", worker->status);
  }
  const WorkerId id = worker->id;
  if (text.ready && !worker->said_ready) {
    worker->said_ready = monotonic_now();
    worker->ready_sender = said.sender;
    look_at(*worker, *worker->said_ready);
  }
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
  if (remark == stranger_) return;
  stranger_ = remark;
  log_.warning("ignored: {}", remark);
}

// The worker that is the sender or an ancestor of it. The pidfd proves that the number still means
// the process that spoke: it reads -1 once that one was reaped.
WorkerProcess* Daemon::speaker(const Notification& said) {
  WorkerProcess* found = nullptr;
  pid_t pid = said.sender;
  while (pid > 1 && !(found = find_pid(pid))) {
    const auto parent = parent_of(pid);
    if (!parent) return nullptr;
    if (*parent == ::getpid()) {
      // Its ancestors are gone, so it came to us, as what a worker started does; under PID 1 anything. What
      // it says of itself counts among those of one user, who can do anything to each other as it is.
      const auto mark = mark_of(pid);
      const auto w = std::ranges::find_if(workers_, [&](const WorkerProcess& p) {
        return mark && p.generation.value == mark->generation && p.slot == mark->slot &&
               (said.sender_user == 0 || said.sender_user == user_of(p.pid));
      });
      if (w != workers_.end()) found = &*w;
      break;
    }
    pid = *parent;
  }
  if (found && found->pid == said.sender) return found;  // not reaped yet, so still the same
  if (found && said.sender_pidfd && pid_of(said.sender_pidfd.get()) != said.sender) return nullptr;
  return found;
}

void Daemon::pass_on(int signo) {
  const auto serving = status_.serving;
  log_.info("SIG{} received: passed to the serving workers", signal_name(signo));
  for (const WorkerProcess& w : workers_) {
    if (w.generation == serving) signal_process(w, signo);
  }
}

// ---- watching --------------------------------------------------------------------------------

void Daemon::look() {
  const Instant now = monotonic_now();
  next_look_ = no_deadline;
  std::vector<WorkerId> waiting;
  for (const WorkerProcess& w : workers_) {
    if (!w.reported_ready && (w.said_ready || w.watch_listening)) waiting.push_back(w.id);
  }
  for (const WorkerId id : waiting) {
    if (WorkerProcess* w = find(id)) look_at(*w, now);
  }
}

// A worker that says READY=1 and dies at once must not cost the one that serves. So it is believed
// when it has come to rest (having said what it had to say, it waits for work), be it between two of our
// looks, or when it has survived for a while: the time it ran counts, for on a crowded machine it may not
// have run at all since. The usual worker rests within microseconds, so it is given those before we sleep.
void Daemon::look_at(WorkerProcess& worker, Instant now) {
  if (worker.reported_ready) return;
  const WorkerId id = worker.id;
  Instant next = no_deadline;

  if (worker.said_ready) {
    const Duration waited = now - *worker.said_ready;
    Rest rest = rest_of(worker.pid);
    for (int i = 0; i < looks_at_once && rest == Rest::busy && waited == 0ms; ++i) {
      ::sched_yield();
      rest = rest_of(worker.pid);
    }
    const bool sender_rests =
        worker.ready_sender == worker.pid || rest_of(worker.ready_sender) == Rest::resting;
    if (rest == Rest::exiting) return;  // reap() will tell
    const bool rests = rest == Rest::resting && sender_rests;
    if (!rests && !worker.run_when_ready) {
      worker.run_when_ready = time_run(worker.pid);
      worker.rested_when_ready = times_rested(worker.pid);
    }
    if (rests || waited >= believe_after || has_gone_on(worker)) {
      worker.reported_ready = true;
      happens(WorkerReady{id});
      return;
    }
    next = now + std::clamp<Duration>(waited, 100us, 1ms);
  } else if (worker.watch_listening) {
    if (!plans_.contains(worker.generation)) return;
    const Duration long_enough = must_be_seen_for(worker);
    if (!seen_listening(worker, now)) {
      worker.seen_listening.reset();
    } else if (!worker.seen_listening) {
      worker.seen_listening = now;
    }
    if (worker.seen_listening && now - *worker.seen_listening >= long_enough) {
      worker.watch_listening = false;
      happens(WorkerListening{id});
      return;
    }
    next = worker.seen_listening ? *worker.seen_listening + long_enough
                                 : now + std::clamp<Duration>((now - worker.started) / 10, 5ms, 100ms);
    next = std::max<Instant>(next, now + 1ms);
  }
  look_soon(next);
}

bool Daemon::seen_listening(const WorkerProcess& worker, Instant now) {
  std::vector<int> sockets;
  for (const PassedSocket& s : plans_.at(worker.generation).sockets) sockets.push_back(s.listener->fd());
  if (!sockets.empty() && !waits_on_all(worker.pid, sockets)) return false;
  if (handoff_.adopted(worker.id) && !handoff_.waits_for(worker.id, now).empty()) return false;
  // Without an address there is nothing to be seen waiting on: then it must have come to rest.
  return !sockets.empty() || handoff_.listens(worker.id) || rest_of(worker.pid) == Rest::resting;
}

Duration Daemon::must_be_seen_for(const WorkerProcess& worker) const {
  if (!handoff_.adopted(worker.id)) return listening_for;
  if (handoff_.listens(worker.id)) return 0ms;  // graced has seen it happen, and was patient already
  // The first generation shows what to expect of the next ones: that it has no address at all is believed
  // only of one that rests for long.
  const bool first = !status_.serving && plans_.at(worker.generation).sockets.empty();
  return first && !handoff_.bound_anything(worker.id) ? nothing_bound_for : listening_for;
}

// Since it was first looked at after its READY=1.
bool Daemon::has_gone_on(const WorkerProcess& worker) const {
  if (worker.ready_sender != worker.pid) return false;
  const auto rested = times_rested(worker.pid);
  const bool again = rested && worker.rested_when_ready && *rested > *worker.rested_when_ready;
  if (again && rest_of(worker.pid) != Rest::exiting) return true;
  return time_run(worker.pid) - *worker.run_when_ready >= believe_after_running;
}

void Daemon::look_soon(Instant when) {
  if (when >= next_look_) return;
  next_look_ = when;
  if (look_) look_.fire_at(when);
}

// ---- ending ----------------------------------------------------------------------------------

void Daemon::perform(const Retire& a) {
  WorkerProcess* w = find(a.worker);
  if (!w) return;
  w->reported_ready = true;  // whether it is ready is of no interest any more
  log_.info(about(*w), "gets no new connections; it is told to leave when it has finished those it has");
  // Of several workers it could not be told whose connections are in there.
  const bool alone = std::ranges::count(workers_, w->generation, &WorkerProcess::generation) == 1;
  const bool restarts = status_.phase == Phase::stopping && is_followed();
  handoff_.retire(a.worker, w->drain_idle, alone ? cgroups_.directory_of(w->generation.value) : std::nullopt,
                  restarts);
}

void Daemon::perform(const Drain& a) {
  WorkerProcess* w = find(a.worker);
  if (!w) return;
  if (const Retirement* retirement = handoff_.retirement(a.worker); retirement && !retirement->seen().done())
    log_.warning(about(*w), "still has {}, and is told to leave", retirement->waits_for());
  handoff_.told_to_leave(a.worker);
  signal_process(*w, w->drain_signal);
  w->reported_ready = true;  // whether it is ready is of no interest any more
  for (const WorkerStatus& s : status_.workers) {
    if (s.worker != a.worker) continue;
    log_.info(
        about(*w), "is draining, {}",
        s.deadline == no_deadline ? "as long as it takes" : "at most " + to_rough_text(s.deadline - s.since));
  }
}

void Daemon::perform(const Kill& a) {
  ++killed_;
  WorkerProcess* w = find(a.worker);
  if (!w) return;
  log_.warning(about(*w), "is hammered (SIGKILL), with all that it started");
  end_all_below(w->pid);
  // All of a generation: then there is nobody who could hide.
  const bool all = std::ranges::all_of(status_.workers, [&](const WorkerStatus& s) {
    return s.generation != w->generation || s.state == WorkerState::killed;
  });
  if (all) cgroups_.kill(w->generation.value);
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
  if (std::ranges::find(workers_, generation, &WorkerProcess::generation) == workers_.end()) {
    cgroups_.leave(generation.value);
  }
}

// Its process group, and whatever left that group but still hangs below it.
void Daemon::end_all_below(pid_t pid) {
  const std::vector<pid_t> below = descendants_of(pid);
  ::kill(-pid, SIGKILL);
  for (const pid_t p : below) ::kill(p, SIGKILL);
}

// Called while the worker is a zombie, so that its number, and its group's, are not yet anybody
// else's. Its children are ours by now; those that left the group are known by their environment.
void Daemon::hammer_leftovers(const WorkerProcess& worker) {
  ::kill(-worker.pid, SIGKILL);
  for (const pid_t child : own_children()) {
    if (find_pid(child)) continue;
    const auto mark = mark_of(child);
    if (!mark || mark->generation != worker.generation.value || mark->slot != worker.slot) continue;
    end_all_below(child);
    ::kill(child, SIGKILL);
  }
}

void Daemon::reap() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    read_notifications();  // what it said before it went
    if (find_pid(info.si_pid)) {
      worker_gone(info);
    } else if (check_ && check_->pid == info.si_pid) {
      check_ended(info);
    } else {
      ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED);  // an orphan that came to us
      cgroups_.tidy_up();
    }
  }
}

void Daemon::worker_gone(const siginfo_t& info) {
  const auto w = std::ranges::find(workers_, info.si_pid, &WorkerProcess::pid);
  hammer_leftovers(*w);
  if (w->output) stderr_.drain(w->output);
  siginfo_t reaped{};
  ::waitid(P_PID, static_cast<id_t>(info.si_pid), &reaped, WEXITED);

  WorkerProcess gone = std::move(*w);
  workers_.erase(w);
  leave_cgroup_if_empty(gone.generation);
  Exit exit = exit_of(info);
  const Status& status = status_;
  const auto known = std::ranges::find(status.workers, gone.id, &WorkerStatus::worker);
  const bool expected = known != status.workers.end() && known->state != WorkerState::starting &&
                        known->state != WorkerState::ready;
  const std::string age = to_rough_text(monotonic_now() - gone.started);
  if (expected) {
    log_.info(about(gone), "{} after {}", exit.how, age);
  } else {
    const bool was_ready = known != status.workers.end() && known->state == WorkerState::ready;
    exit.how += fmt::format(" after {}", age);
    if (gone.said_ready && !was_ready) {
      exit.how += ", right after READY=1";
    } else if (!was_ready) {
      exit.how += ", before it was ready";
      if (exit.status == 0) exit.how += " (a server that goes into the background must be told to stay)";
    }
    log_.warning(about(gone), "{}", exit.how);
  }
  if (gone.output) {
    if (status.candidate == gone.generation) candidate_last_words_ = gone.output->lines.last_lines();
    stderr_.release(gone.output);
  }
  handoff_.gone(gone.id, !expected && status.phase != Phase::stopping);
  happens(WorkerGone{gone.id, std::move(exit)});
}

void Daemon::check_ended(const siginfo_t& info) {
  const Check check = *std::exchange(check_, std::nullopt);
  ::kill(-check.pid, SIGKILL);
  stderr_.drain(check.output);
  siginfo_t reaped{};
  ::waitid(P_PID, static_cast<id_t>(info.si_pid), &reaped, WEXITED);

  const Exit exit = exit_of(info);
  const bool wanted = status_.candidate == check.generation;
  if (wanted) candidate_last_words_ = check.output->lines.last_lines();
  stderr_.release(check.output);
  if (!wanted) return;
  if (exit.status == 0) {
    candidate_last_words_.clear();
    happens(Prepared{check.generation, plans_.at(check.generation).options.policy});
  } else {
    happens(PreparationFailed{check.generation, "check: " + exit.how});
  }
}

// ---- finding ---------------------------------------------------------------------------------

WorkerProcess* Daemon::find(WorkerId id) {
  const auto w = std::ranges::find(workers_, id, &WorkerProcess::id);
  return w == workers_.end() ? nullptr : &*w;
}

WorkerProcess* Daemon::find_pid(pid_t pid) {
  const auto w = std::ranges::find(workers_, pid, &WorkerProcess::pid);
  return w == workers_.end() ? nullptr : &*w;
}

LogFields Daemon::about(const WorkerProcess& worker) const {
  return {.generation = worker.generation.value, .worker = worker.slot, .worker_pid = worker.pid};
}

}  // namespace graced
