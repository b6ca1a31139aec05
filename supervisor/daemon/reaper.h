// The ends of processes: of workers, of what they have left behind, of --check, looks and hooks, and of orphans
// that came to graced. What ended a worker by itself is told, and remembered for the report.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/status.h"
#include "daemon/candidate_failure.h"
#include "daemon/departed.h"
#include "daemon/event_pump.h"
#include "daemon/log.h"
#include "daemon/preflight.h"
#include "daemon/probe_looks.h"
#include "daemon/trees.h"
#include "handoff/handoff.h"
#include "handoff/ready_watch.h"
#include "hooks/gate_runner.h"
#include "hooks/hook_runner.h"
#include "linux/proc/child_exits.h"
#include "linux/worker/cgroup.h"
#include "workers/workers.h"

namespace graced {

class Reaper {
 public:
  // Borrowed.
  struct Others {
    Loop& loop;
    Log& log;
    EventPump& pump;
    Workers& workers;
    Preflight& preflight;
    ProbeLooks& looks;
    HookRunner& hooks;
    GateRunner& gates;
    ReadyWatch& ready;
    Handoff& handoff;
    Cgroups& cgroups;
    CandidateFailure& failure;
  };
  struct Callbacks {
    std::function<void()> read_notifications;             // what one said before it went
    std::function<void(const WorkerProcess&)> forgotten;  // it is gone, with all that it left
    std::function<void(const Preflight::Ended&)> checked;
    std::function<bool(const ChildExit&)> tried;  // whether it was the trial of another image
    std::function<void()> told;                   // the core, of the end of one of them
    std::function<void()> workers_ended;          // one or several
  };
  Reaper(Others others, Callbacks callbacks)
      : o_(others),
        callbacks_(std::move(callbacks)),
        trees_(o_.loop, o_.pump, o_.workers, o_.preflight, o_.looks, o_.hooks, o_.gates, o_.handoff,
               o_.cgroups) {}

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    Trees::Kept trees{};
    std::map<WorkerId, Departed> departed{};
  };
  Kept kept() const { return {trees_.kept(), departed_}; }
  void take_over(Kept kept);

  Trees& trees() { return trees_; }

  // At SIGCHLD.
  void look();

  // What is left of workers that the core may name as the last that ended by itself.
  const Departed* departed(WorkerId worker) const;  // null: nothing is known
  void forget_departed(const Status& status);       // all but the one that it names

 private:
  void hear_of_stops();
  void process_ended(WorkerProcess& worker, const ChildExit& child);
  Exit tell_end(const WorkerProcess& worker, const ChildExit& child);
  std::string why_not_ready(const WorkerProcess& worker, bool said_all_is_well) const;
  void look_at_trees();
  void forget(const WorkerProcess& worker);
  bool is_killed(const WorkerProcess& worker) const;

  Others o_;
  Callbacks callbacks_;
  Trees trees_;
  std::map<WorkerId, Departed> departed_;
};

}  // namespace graced
