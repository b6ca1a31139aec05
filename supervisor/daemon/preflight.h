// The process of --check: between Prepare and Prepared, one at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/exit.h"
#include "core/id.h"
#include "core/time.h"
#include "daemon/launcher.h"
#include "daemon/process_outputs.h"
#include "linux/control/control_report.h"
#include "linux/proc/child_exits.h"

namespace graced {

class Preflight {
 public:
  // Borrows both.
  Preflight(Launcher& launcher, ProcessOutputs& outputs) : launcher_(launcher), outputs_(outputs) {}

  // Its PID, or why it could not be started.
  struct Began {
    pid_t pid = 0;
    std::string why_not;  // empty: it was
  };
  Began begin(const Plan& plan, GenerationId generation);

  bool busy() const { return running_.has_value(); }
  bool is(pid_t pid) const { return running_ && running_->pid == pid; }

  // How it ended, and what it said last. It is reaped, and what it has started is killed.
  struct Ended {
    GenerationId generation;
    Exit exit;
    std::vector<std::string> last_words;
  };
  Ended ended(const ChildExit& child);

  // Its generation is not to be: it is killed, and reaped like any orphan.
  void give_up(GenerationId generation);

  std::optional<CheckReport> report(Instant now) const;

 private:
  struct Running {
    GenerationId generation;
    pid_t pid;
    std::string command;
    Instant began;
    Outputs outputs;
  };

  Launcher& launcher_;
  ProcessOutputs& outputs_;
  std::optional<Running> running_;
};

}  // namespace graced
