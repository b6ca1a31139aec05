// Notices what happened to this instance that somebody outside may want to know: has the hooks run for it, and
// has the history.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/instance_event.h"
#include "core/status.h"
#include "daemon/addresses.h"
#include "daemon/departed.h"
#include "daemon/history_keeper.h"
#include "daemon/launcher.h"
#include "daemon/log.h"
#include "daemon/planner.h"
#include "daemon/process_outputs.h"
#include "hooks/gate_runner.h"
#include "hooks/hook_runner.h"
#include "linux/event/loop.h"

namespace graced {

class EventHooks {
 public:
  // Borrowed.
  struct Others {
    Loop& loop;
    Log& log;
    const Planner& planner;
    Addresses& addresses;
    Launcher& launcher;
    ProcessOutputs& outputs;
  };
  EventHooks(Others others, GateRunner::Told gate_ended);

  HookRunner& runner() { return runner_; }
  GateRunner& gates() { return gates_; }
  HistoryKeeper& history() { return history_; }

  // The options of the generation that serves.
  void use(const RunOptions& options) { runner_.use(options.hooks); }

  // The gate of the candidate's plan, at the end of this step of its canary. Throws std::exception where it
  // cannot be started.
  void begin_gate(GenerationId candidate, const Plan& plan, const CanaryStatus& step, GenerationId serving);

  void reloaded(GenerationId generation);
  void reload_failed(GenerationId candidate, const std::string& why);
  void rolled_back(GenerationId from, const std::string& why);
  void promoted(GenerationId generation);                     // it has stood its probation
  void gave_up(GenerationId failed, const std::string& why);  // failed: the candidate that `why` tells of

  // What else follows from how things are now: somebody serves (again), a worker has ended, graced stops.
  void look_at(const Status& status, const FindDeparted& departed);

 private:
  void happened(InstanceEvent event);
  HookRunner::Process start(const std::vector<std::string>& command, std::vector<std::string> variables,
                            int standard_input);
  HookRunner::Process start(const Plan& plan, const std::vector<std::string>& command,
                            std::vector<std::string> variables, int standard_input);

  Others o_;
  HookRunner runner_;
  GateRunner gates_;
  HistoryKeeper history_;
  Phase phase_ = Phase::starting;
  std::optional<GenerationId> serving_;
  std::optional<WorkerId> exited_;  // the last one that was told of
};

}  // namespace graced
