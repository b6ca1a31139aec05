#include "daemon/trees.h"

#include <algorithm>
#include <utility>

#include "linux/base/own_process.h"
#include "linux/proc/served_socket.h"

namespace graced {

bool Trees::look_at(WorkerProcess& worker) {
  return look_while_orphans_come(
      own_children, [&](std::vector<pid_t> children) { return look_once(worker, std::move(children)); });
}

bool Trees::look_once(WorkerProcess& worker, std::vector<pid_t> orphans) {
  // Of several workers it could not be told whose they are.
  const bool alone = workers_.count(worker.generation) == 1;
  std::erase_if(orphans, [this](pid_t pid) { return is_known(pid); });
  std::vector<pid_t> others = alone ? cgroups_.processes_of(worker.generation.value) : std::vector<pid_t>();
  // A candidate's, with hardly a doubt: those who serve are done with their start.
  if (is_on_trial(worker)) {
    for (const pid_t pid : strangers_since(worker)) others.push_back(pid);
  }
  if (is_last_of_all(worker)) others = orphans;
  return worker.rest->look(orphans, others);
}

// Then all that is left with graced was started below some worker, whatever it shows: nobody else's orphans
// come to a reaper that had no children when it began. Those of a container's PID 1 do.
bool Trees::is_last_of_all(const WorkerProcess& worker) const {
  const bool alone = std::ranges::all_of(workers_, [&](const WorkerProcess& w) { return w.id == worker.id; });
  return pump_.status().phase == Phase::stopping && alone && began_alone_ && own_pid() != 1;
}

bool Trees::is_known(pid_t child) const {
  return workers_.find_pid(child) || preflight_.is(child) || looks_.is(child) || hooks_.is_hook(child) ||
         gates_.is_gate(child);
}

std::vector<pid_t> Trees::strangers_since(const WorkerProcess& worker) const {
  std::vector<pid_t> found = unmarked_orphans_since(worker.pid);
  std::erase_if(found, [this](pid_t pid) { return is_known(pid); });
  return found;
}

bool Trees::is_on_trial(const WorkerProcess& worker) const {
  const WorkerStatus* s = pump_.status_of(worker.id);
  return s && s->state == WorkerState::starting && pump_.status().candidate == worker.generation;
}

void Trees::tell(WorkerProcess& worker) {
  // Remembered: they may be handed over to a replacement before those with clients have finished.
  for (const int fd : handoff_.adopted_listeners(worker.id)) {
    const ServedSocket socket = served_socket(fd);
    if (std::ranges::find(worker.served, socket.inode, &ServedSocket::inode) == worker.served.end())
      worker.served.push_back(socket);
  }
  worker.rest_told = worker.rest->tell(worker.drain_signal, worker.served, askers_);
  if (!worker.rest_told) retry_.begin();
}

void Trees::take_over(Kept kept) {
  began_alone_ = kept.began_alone;
  askers_ = std::move(kept.askers);
  retry_.begin();  // ends by itself where all have heard it
}

bool Trees::tell_again() {
  for (WorkerProcess& w : workers_) {
    if (w.rest && !w.rest_told) tell(w);
  }
  return std::ranges::any_of(workers_, [](const WorkerProcess& w) { return w.rest && !w.rest_told; });
}

void Trees::asked_by(pid_t who) {
  std::erase_if(askers_, [](const ProcessId& p) { return identity_of(p.pid) != p; });
  std::vector<ProcessId> line;
  pid_t pid = who;
  while (pid > 0 && pid != own_pid() && !workers_.find_pid(pid)) {
    const auto process = identity_of(pid);
    if (!process) return;
    line.push_back(*process);
    pid = parent_of(pid).value_or(0);
  }
  if (pid > 0) askers_.insert(askers_.end(), line.begin(), line.end());
}

}  // namespace graced
