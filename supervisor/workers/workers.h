// The workers that run, and whose a process is that was started below one of them.
#pragma once

#include <signal.h>

#include <list>

#include "core/id.h"
#include "core/vocabulary.h"
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

 private:
  std::list<WorkerProcess> workers_;
};

// The worker's first process.
void signal_process(const WorkerProcess& worker, int signo);

// The process group that it leads, or all that its process has left behind.
void signal_group(const WorkerProcess& worker, int signo);
// As waitid(2) has it.
Exit exit_of(const siginfo_t& info);

// With SIGKILL: the process group that it leads, and whatever left that group but still hangs below it.
void end_all_below(pid_t pid);

}  // namespace graced
