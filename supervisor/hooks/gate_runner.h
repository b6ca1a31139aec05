// Waits for the command of --gate, one at a time, beside graced's own work; it is killed with all that it
// started when it takes longer than its time limit. How it ends is what it was asked for.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/exit.h"
#include "core/id.h"
#include "hooks/hook_runner.h"
#include "linux/event/loop.h"

namespace graced {

class GateRunner {
 public:
  static constexpr Duration time_limit = HookRunner::time_limit;

  // why_not: its last line at stderr, or else at stdout, or else how it ended; none: it has passed.
  using Told = std::function<void(GenerationId, unsigned step, const std::optional<std::string>& why_not)>;

  GateRunner(Loop& loop, Told told) : loop_(loop), told_(std::move(told)) {}

  // For a step (1…N) of this candidate the process was just started.
  void began(GenerationId candidate, unsigned step, HookRunner::Process process);

  bool busy() const { return running_.has_value(); }
  bool is_gate(pid_t pid) const { return running_ && running_->process.pid == pid; }

  // The one that runs has ended, and is a zombie still. `reap` makes an end of that.
  void ended(const Exit& exit, const std::function<void()>& reap);

  // Nobody needs to know any more: it is killed, and reaped like any orphan.
  void give_up(GenerationId candidate);

 private:
  struct Running {
    GenerationId candidate;
    unsigned step;
    HookRunner::Process process;
    bool timed_out = false;
  };

  Loop& loop_;
  Told told_;
  std::optional<Running> running_;
  Source limit_;
};

}  // namespace graced
