// Who is told what happens to this instance: the history, the commands of --on, and who follows at the control
// socket.
#pragma once

#include <string>
#include <vector>

#include "core/history.h"
#include "core/passing_events.h"
#include "core/speaker.h"
#include "daemon/addresses.h"
#include "daemon/announcer.h"
#include "daemon/instance_events.h"
#include "daemon/launcher.h"
#include "daemon/log.h"
#include "daemon/planner.h"
#include "daemon/process_outputs.h"
#include "hooks/gate_runner.h"
#include "hooks/hook_runner.h"
#include "linux/event/loop.h"

namespace graced {

class EventReaders {
 public:
  // Borrowed.
  struct Others {
    Loop& loop;
    Log& log;
    const Planner& planner;
    Addresses& addresses;
    Launcher& launcher;
    ProcessOutputs& outputs;
    Announcer& announcer;
  };
  EventReaders(Others others, GateRunner::Told gate_ended);

  // What another image of this process takes over, see linux/upgrade: once no command of --on and no gate runs.
  struct Kept {
    History history{};
    InstanceEvents::Kept events{};
    Instant forgotten{};  // when the last one happened that is not in the history
  };
  Kept kept() const { return {history_, events_.kept(), passing_.forgotten_by_next(history_)}; }
  void take_over(Kept kept);

  InstanceEvents& events() { return events_; }
  HookRunner& runner() { return runner_; }
  GateRunner& gates() { return gates_; }
  const History& history() const { return history_; }
  EventsSince since(Instant that) const { return passing_.since(that, history_); }

  // The options of the generation that serves.
  void use(const RunOptions& options) { runner_.use(options.hooks); }

  // The gate of the candidate's plan, at the end of this step of its canary. Throws std::exception where it
  // cannot be started.
  void begin_gate(GenerationId candidate, const Plan& plan, const CanaryStatus& step, GenerationId serving);

 private:
  void happened(const InstanceEvent& event);
  HookRunner::Process start(const std::vector<std::string>& command, std::vector<std::string> variables,
                            int standard_input);
  HookRunner::Process start_gate(GenerationId candidate, const Plan& plan, std::vector<std::string> variables);
  HookRunner::Process start(const Launch& launch, OutputPipes pipes, const Plan& plan, Speaker speaker);

  Others o_;
  HookRunner runner_;
  GateRunner gates_;
  History history_;
  PassingEvents passing_;
  InstanceEvents events_;
};

}  // namespace graced
