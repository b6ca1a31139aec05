#include "daemon/announcer.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "core/phase_limit.h"
#include "core/story.h"
#include "daemon/worker_log.h"

namespace graced {

namespace {

// Both lists are in the order of their ids.
const WorkerStatus* find_in(const std::vector<WorkerStatus>& workers, WorkerId id) {
  const auto at = std::ranges::lower_bound(workers, id, {}, &WorkerStatus::worker);
  return at != workers.end() && at->worker == id ? &*at : nullptr;
}

}  // namespace

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
    case WorkerState::standby:
    case WorkerState::killed:
      break;
  }
  return std::string(to_text(w.state));
}

Announcer::Announcer(Loop& loop, Log& log, const ServiceManagerVariables& variables)
    : loop_(loop), log_(log), manager_(variables) {}

void Announcer::open_control(Fd listening_socket, ControlHandler& handler) {
  control_.emplace(std::move(listening_socket), handler);
}

void Announcer::open_control(ControlServer::Kept kept, ControlHandler& handler) {
  control_.emplace(std::move(kept), handler);
}

Announcer::Kept Announcer::kept() const {
  return {manager_.kept(), ending_, phase_, workers_, restarts_};
}

Announcer::Announcer(Loop& loop, Log& log, const ServiceManagerVariables& variables, Kept kept)
    : loop_(loop),
      log_(log),
      manager_(variables, std::move(kept.manager)),
      ending_(std::move(kept.ending)),
      phase_(kept.phase),
      workers_(std::move(kept.workers)),
      restarts_(std::move(kept.restarts)) {}

void Announcer::attend() {
  control_->attend(loop_);
  if (!manager_.watchdog()) return;
  watchdog_ = loop_.timer([this] { tell_alive(); });
  watchdog_.fire_at(after(monotonic_now(), *manager_.watchdog()));
}

void Announcer::go_on() {
  attend();
  manager_.flush();
  wait_until_manager_reads();
  if (watchdog_) tell_alive();
}

// The only thing that wakes an idle graced, and only where the manager asks for it.
void Announcer::tell_alive() {
  manager_.tell_alive();
  wait_until_manager_reads();
  watchdog_.fire_at(after(monotonic_now(), *manager_.watchdog()));
}

std::vector<WorkerId> Announcer::tell_of_workers(const Status& status, const Workers& workers) {
  std::vector<WorkerId> ready;
  for (const WorkerStatus& told : workers_) {
    if (!find_in(status.workers, told.worker))
      control_->worker_changed(told.generation.value, told.slot, 0, "gone");
  }
  for (const WorkerStatus& w : status.workers) {
    const WorkerStatus* told = find_in(workers_, w.worker);
    if (told && told->state == w.state) continue;
    const WorkerProcess* process = workers.find(w.worker);
    if (!process) continue;  // not started yet
    control_->worker_changed(w.generation.value, w.slot, process->pid,
                             w.thrown_away ? shown_state(w) : std::string(to_text(w.state)));
    const bool again = told && told->state != WorkerState::starting;
    if (w.state == WorkerState::ready && !again) {
      log_.info(about(*process), "is ready after {}", to_rough_text(monotonic_now() - process->started));
      ready.push_back(w.worker);
    }
  }
  workers_ = status.workers;
  return ready;
}

void Announcer::tell_of_start(const WorkerProcess& worker) {
  control_->worker_changed(worker.generation.value, worker.slot, worker.pid,
                           std::string(to_text(WorkerState::starting)));
}

void Announcer::tell_of_restarts(const Status& status) {
  const auto& last = status.last_exit;
  for (const RestartStatus& r : status.waiting) {
    if (std::ranges::find(restarts_, r.of, &RestartStatus::of) != restarts_.end()) continue;
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
  restarts_ = status.waiting;
}

void Announcer::tell_of_phase(const Status& status, Instant next_deadline, int error) {
  if (manager_.anybody()) {
    manager_.tell({.phase = course_of(status),
                   .story = ending_.because.empty() ? story_of(status) : ending_.because,
                   .limit = phase_limit(status, next_deadline),
                   .error = error,
                   .exit_status = ending_.exit_status},
                  monotonic_now());
    wait_until_manager_reads();
  }
  if (status.phase == phase_) return;
  phase_ = status.phase;
  control_->phase_changed(std::string(to_text(status.phase)));
}

void Announcer::wait_until_manager_reads() {
  if (!manager_.behind() || manager_writable_) return;
  manager_writable_ = loop_.on_fd(manager_.fd(), EPOLLOUT, Priority::answer, [this] {
    manager_.flush();
    if (!manager_.behind()) manager_writable_ = Source();
  });
}

}  // namespace graced
