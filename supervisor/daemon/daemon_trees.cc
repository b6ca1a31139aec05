// The ends of workers: of a worker's process, and of what that leaves behind, which finishes as the worker
// would have.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/daemon.h"
#include "daemon/foreground_advice.h"
#include "linux/proc/process.h"

namespace graced {

namespace {

// Between two looks at processes that the drain signal is kept from: twice as long each time.
constexpr Duration first_pause = 100ms;
constexpr Duration longest_pause = 1s;

}  // namespace

bool Daemon::look_at_rest(WorkerProcess& worker) {
  // Of several workers it could not be told whose they are.
  const bool alone = workers_.count(worker.generation) == 1;
  std::vector<pid_t> orphans = own_children();
  std::erase_if(orphans,
                [this](pid_t pid) { return workers_.find_pid(pid) || (check_ && check_->pid == pid); });
  std::vector<pid_t> others = alone ? cgroups_.processes_of(worker.generation.value) : std::vector<pid_t>();
  // A candidate's, with hardly a doubt: those who serve are done with their start.
  if (is_on_trial(worker)) {
    for (const pid_t pid : unmarked_orphans_since(worker.pid)) others.push_back(pid);
  }
  return worker.rest->look(orphans, others);
}

bool Daemon::is_on_trial(const WorkerProcess& worker) const {
  const WorkerStatus* s = status_of(worker.id);
  return s && s->state == WorkerState::starting && status_.candidate == worker.generation;
}

void Daemon::process_ended(WorkerProcess& worker, const siginfo_t& info) {
  const auto known = std::ranges::find(status_.workers, worker.id, &WorkerStatus::worker);
  const bool killed = known != status_.workers.end() && known->state == WorkerState::killed;
  worker.rest.emplace(worker.pid, WorkerMark{worker.generation.value, worker.slot});
  // While it is a zombie, so that its number, and its group's, are nobody else's yet.
  // Twice, for the kernel's list of children may leave one out while others come or go.
  const bool leaves_others = look_at_rest(worker) || (is_on_trial(worker) && look_at_rest(worker));
  if (killed || !leaves_others) ::kill(-worker.pid, SIGKILL);
  if (killed) worker.rest->kill();
  worker.outputs.drain();
  Exit exit = tell_end(worker, info);
  siginfo_t reaped{};
  ::waitid(P_PID, static_cast<id_t>(info.si_pid), &reaped, WEXITED);

  ready_.forget(worker.id);
  worker.stopped_by.clear();
  if (status_.candidate == worker.generation)
    failure_.note_last_words(worker.generation, worker.outputs.last_words());
  const WorkerId id = worker.id;
  departed_[id] = {worker.pid, monotonic_now() - worker.started, worker.outputs.last_words()};
  if (leaves_others) {
    handoff_.left_behind(id, worker.rest->tops());
  } else {
    forget(worker);
  }
  happens(WorkerGone{id, std::move(exit), leaves_others});
  reload_for_free_name();
}

// What is known of one that has ended by itself, and where to look further.
std::string Daemon::why_not_ready(const WorkerProcess& worker, bool said_all_is_well) const {
  std::string why;
  if (said_all_is_well) {
    const auto of_it = [](const std::string& who, pid_t pid) {
      return fmt::format("; {} of it goes on: {}", who, foreground_advice(name_of(pid)));
    };
    if (const std::string rest = worker.rest->text(); !rest.empty())
      return of_it(rest, worker.rest->tops().front());
    for (const pid_t pid : unmarked_orphans_since(worker.pid)) {
      const bool is_known = std::ranges::any_of(workers_, [&](const WorkerProcess& w) { return w.pid == pid; });
      if (!is_known) return of_it(fmt::format("perhaps PID {} ({})", pid, name_of(pid)), pid);
    }
    why = ", and left no process behind (see graced-recipes(7))";
  }
  const Outputs& o = worker.outputs;
  if (!o.out && o.err && o.last_words().empty())
    why += "; nothing was said on stderr: --stdout watch tells what is said on stdout";
  return why;
}

Exit Daemon::tell_end(const WorkerProcess& worker, const siginfo_t& info) {
  Exit exit = exit_of(info);
  const auto known = std::ranges::find(status_.workers, worker.id, &WorkerStatus::worker);
  const bool is_known = known != status_.workers.end();
  const bool was_ready = is_known && known->state == WorkerState::ready;
  const bool expected = is_known && known->state != WorkerState::starting && !was_ready;
  const std::string age = to_rough_text(monotonic_now() - worker.started);
  if (expected) {
    log_.info(about(worker), "{} after {}", exit.how, age);
    return exit;
  }
  exit.how += fmt::format(" after {}", age);
  if (!was_ready && ready_.has_said_ready(worker.id)) {
    exit.how += ", right after READY=1";
    if (!worker.rest->text().empty()) exit.how += why_not_ready(worker, exit.status == 0);
  } else if (!was_ready) {
    exit.how += ", before it was ready";
    exit.how += why_not_ready(worker, exit.status == 0);
  }
  log_.warning(about(worker), "{}", exit.how);
  return exit;
}

void Daemon::forget(const WorkerProcess& worker) {
  WorkerProcess gone = workers_.take_out(worker);
  settlements_.forget(gone.generation, gone.id);
  leave_cgroup_if_empty(gone.generation);
  give_up_sockets_if_empty(gone.generation);
  gone.outputs.release();
}

// Once those have left who kept a name from being bound again.
void Daemon::reload_for_free_name() {
  const auto plan = plans_.find(status_.serving.value_or(GenerationId{}));
  if (plan == plans_.end() || !plan->second.name_is_taken || status_.candidate) return;
  if (std::ranges::any_of(workers_, [&](const WorkerProcess& w) { return w.generation != plan->first; }))
    return;
  plan->second.name_is_taken = false;  // whoever has it still is none of graced's
  happens(ReloadAsked{nobody});
}

// After orphans were reaped, with whose end others may have become graced's children.
void Daemon::look_at_rests() {
  std::vector<WorkerId> left;
  for (const WorkerProcess& w : workers_) {
    if (w.rest) left.push_back(w.id);
  }
  for (const WorkerId id : left) {
    WorkerProcess* w = workers_.find(id);
    if (!w) continue;
    if (look_at_rest(*w)) {
      handoff_.left_behind(id, w->rest->tops());
      const auto known = std::ranges::find(status_.workers, id, &WorkerStatus::worker);
      if (known != status_.workers.end() && known->state == WorkerState::killed) w->rest->kill();
      continue;
    }
    log_.info(about(*w), "all that it started has ended");
    w->outputs.drain();
    forget(*w);
    happens(TreeGone{id});
    reload_for_free_name();
  }
}

void Daemon::perform(const DrainRest& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w || !w->rest) return;
  tell_rest(*w);
  const std::string who = w->rest->text();
  if (who.empty()) return;  // they have ended meanwhile
  for (const WorkerStatus& s : status_.workers) {
    if (s.worker != a.worker) continue;
    const Duration left = s.deadline - monotonic_now();
    log_.info(about(*w), "{} of it finishes, {}", who,
              s.deadline == no_deadline ? "as long as it takes" : "at most " + to_rough_text(left));
  }
}

void Daemon::tell_rest(WorkerProcess& worker) {
  // Remembered: they may be handed over to a replacement before those with clients have finished.
  for (const int fd : handoff_.adopted_listeners(worker.id)) {
    const ServedSocket socket = served_socket(fd);
    if (std::ranges::find(worker.served, socket.inode, &ServedSocket::inode) == worker.served.end())
      worker.served.push_back(socket);
  }
  worker.rest_told = worker.rest->tell(worker.drain_signal, worker.served, askers_);
  if (worker.rest_told) return;
  if (!rest_timer_) rest_timer_ = loop_.timer([this] { tell_rests(); });
  rest_pause_ = first_pause;
  rest_timer_.fire_at(monotonic_now() + rest_pause_);
}

void Daemon::tell_rests() {
  const Duration pause = std::min(2 * rest_pause_, longest_pause);
  for (WorkerProcess& w : workers_) {
    if (w.rest && !w.rest_told) tell_rest(w);
  }
  rest_pause_ = pause;
  const bool any = std::ranges::any_of(workers_, [](const WorkerProcess& w) { return w.rest && !w.rest_told; });
  rest_timer_.fire_at(any ? monotonic_now() + pause : no_deadline);
}

// With what stands between it and its worker, or graced if it has lost its parent; the worker itself is told,
// whoever asks.
void Daemon::asked_by(pid_t who) {
  std::erase_if(askers_, [](const ProcessId& p) { return identity_of(p.pid) != p; });
  std::vector<ProcessId> line;
  pid_t pid = who;
  while (pid > 0 && pid != ::getpid() && !workers_.find_pid(pid)) {
    const auto process = identity_of(pid);
    if (!process) return;
    line.push_back(*process);
    pid = parent_of(pid).value_or(0);
  }
  if (pid > 0) askers_.insert(askers_.end(), line.begin(), line.end());
}

}  // namespace graced
