// What workers have left behind whose own process is gone: it is looked at again, and told to leave as the
// worker would have been.
#pragma once

#include <sys/types.h>

#include <vector>

#include "core/time.h"
#include "daemon/event_pump.h"
#include "daemon/preflight.h"
#include "daemon/probe_looks.h"
#include "handoff/handoff.h"
#include "hooks/gate_runner.h"
#include "hooks/hook_runner.h"
#include "linux/event/loop.h"
#include "linux/event/retry.h"
#include "linux/proc/process.h"
#include "linux/worker/cgroup.h"
#include "workers/workers.h"

namespace graced {

class Trees {
 public:
  // Borrows all of them.
  Trees(Loop& loop, const EventPump& pump, Workers& workers, const Preflight& preflight,
        const ProbeLooks& looks, const HookRunner& hooks, const GateRunner& gates, Handoff& handoff,
        const Cgroups& cgroups)
      : pump_(pump),
        workers_(workers),
        preflight_(preflight),
        looks_(looks),
        hooks_(hooks),
        gates_(gates),
        handoff_(handoff),
        cgroups_(cgroups),
        retry_(loop, [this] { return tell_again(); }) {}

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    bool began_alone = false;
    std::vector<ProcessId> askers{};
  };
  Kept kept() const { return {began_alone_, askers_}; }
  void take_over(Kept kept);

  // Of a worker whose process is gone, or is a zombie. False: nobody is left.
  bool look_at(WorkerProcess& worker);

  // The drain signal; who must not hear it yet hears it later.
  void tell(WorkerProcess& worker);

  // This process, with what stands between it and its worker, or graced if it has lost its parent, waits for a
  // reload, so it must not hear the drain signal; the worker itself is told, whoever asks.
  void asked_by(pid_t who);

  // Children of graced that were started since this worker, that nobody here knows, and whose environment does
  // not say whose they are.
  std::vector<pid_t> strangers_since(const WorkerProcess& worker) const;

 private:
  bool is_on_trial(const WorkerProcess& worker) const;
  bool look_once(WorkerProcess& worker, std::vector<pid_t> orphans);  // graced's children
  bool is_last_of_all(const WorkerProcess& worker) const;
  bool tell_again();  // whether somebody has not heard it yet
  bool is_known(pid_t child) const;

  const EventPump& pump_;
  Workers& workers_;
  const Preflight& preflight_;
  const ProbeLooks& looks_;
  const HookRunner& hooks_;
  const GateRunner& gates_;
  Handoff& handoff_;
  const Cgroups& cgroups_;
  bool began_alone_ = own_children().empty();  // else whoever started graced had children before
  std::vector<ProcessId> askers_;              // of reloads, with those above them
  Retry retry_;                                // while somebody has not heard the drain signal yet
};

}  // namespace graced
