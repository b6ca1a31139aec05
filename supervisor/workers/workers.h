// The workers that run, and whose a process is that was started below one of them.
#pragma once

#include <functional>
#include <list>
#include <vector>

#include "core/id.h"
#include "core/vocabulary.h"
#include "linux/proc/child_exits.h"
#include "linux/worker/notify_socket.h"
#include "workers/worker_process.h"

namespace graced {

class Workers {
 public:
  auto begin() { return workers_.begin(); }  // oldest first
  auto end() { return workers_.end(); }
  auto begin() const { return workers_.begin(); }
  auto end() const { return workers_.end(); }

  WorkerProcess& add() { return workers_.emplace_back(); }
  WorkerProcess take_out(const WorkerProcess& worker);

  WorkerProcess* find(WorkerId id);
  const WorkerProcess* find(WorkerId id) const;
  WorkerProcess* find_pid(pid_t pid);  // whose process is not gone

  // How many of them are of this generation.
  unsigned count(GenerationId generation) const;

  // Who said it: the sender itself, or the worker that it was started below, however far. Null: none of them.
  WorkerProcess* speaker(const Notification& said);

  // For another image of this process, and there, before any is added. output: who reads from the pipe of that
  // number, null if nobody does; then this throws std::runtime_error.
  std::vector<WorkerProcess::Kept> kept() const;
  void take_over(std::vector<WorkerProcess::Kept> kept, const std::function<WatchedOutput*(int pipe)>& output);

 private:
  std::list<WorkerProcess> workers_;
};

// The worker's first process.
void signal_process(const WorkerProcess& worker, int signo);

// The process group that it leads, or all that its process has left behind.
void signal_group(const WorkerProcess& worker, int signo);

Exit exit_of(const ChildExit& child);

}  // namespace graced
