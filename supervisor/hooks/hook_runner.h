// Runs what --on names, one command at a time, beside graced's own work and never in its way. A command that
// takes longer than its time limit is killed with all that it started. Where more than 32 wait the oldest is
// left out.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/exit.h"
#include "core/instance_event.h"
#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "options/options.h"
#include "workers/outputs.h"

namespace graced {

class HookRunner {
 public:
  static constexpr Duration time_limit = 30s;
  static constexpr std::size_t longest_queue = 32;

  struct Process {
    pid_t pid;  // leads a process group of its own
    Outputs outputs;

    // It has ended, and is a zombie until `reap`: what it has left is killed, and its outputs are closed. Gives
    // the last lines that it wrote.
    std::vector<std::string> end(const std::function<void()>& reap);
  };
  struct Callbacks {
    // Makes a process of the command, with these variables (NAME=VALUE) and this standard input, borrowed for
    // the call. Throws std::exception where it cannot be started.
    std::function<Process(const std::vector<std::string>& command, std::vector<std::string> variables,
                          int standard_input)>
        start;
    // What a person should know: one that was started, or failed (`failed`); `pid` is 0 where there is none.
    std::function<void(pid_t pid, const std::string& note, bool failed)> note;
  };

  HookRunner(Loop& loop, Callbacks callbacks) : loop_(loop), callbacks_(std::move(callbacks)) {}

  // From now on these are run.
  void use(std::vector<Hook> hooks) { hooks_ = std::move(hooks); }

  // Those that are to be run for it are, after those that wait.
  void happened(const InstanceEvent& event);

  // This is run after those that wait, as if it was to be for that event.
  void run(std::vector<std::string> command, const InstanceEvent& event);

  bool busy() const { return running_ || !queue_.empty(); }
  bool is_hook(pid_t pid) const { return running_ && running_->process.pid == pid; }

  // The one that runs has ended, and is a zombie still. `reap` makes an end of that.
  void ended(const Exit& exit, const std::function<void()>& reap);

  // Those that run or wait may end by themselves; then `done` is called, at once if there are none.
  void finish(std::function<void()> done);

  // None is started any more, and the one that runs is killed; reaped like any orphan.
  void give_up();

 private:
  struct Waiting {
    std::vector<std::string> command;
    std::shared_ptr<const InstanceEvent> event;
  };
  struct Running {
    Process process;
    std::string what;  // "hook for reloaded (./tell.sh)"
    Instant began;
    bool timed_out = false;
  };

  void start_next();
  void start(const Waiting& next);
  void out_of_time();

  Loop& loop_;
  Callbacks callbacks_;
  std::vector<Hook> hooks_;
  std::deque<Waiting> queue_;
  std::optional<Running> running_;
  Source limit_;
  std::function<void()> done_;
};

}  // namespace graced
