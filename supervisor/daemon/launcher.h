// What a process is started with, besides its generation's plan: the environment that tells of graced, where it
// says READY=1, its outputs, its cgroup.
#pragma once

#include <string>
#include <vector>

#include "core/id.h"
#include "daemon/plan.h"
#include "daemon/process_outputs.h"
#include "linux/base/fd.h"
#include "linux/worker/cgroup.h"
#include "linux/worker/spawn.h"

namespace graced {

class Launcher {
 public:
  // As a worker's environment has it.
  struct Names {
    std::string instance;
    std::string control;  // the path of the control socket
    std::string notify;   // NOTIFY_SOCKET
  };
  // Throws std::system_error.
  explicit Launcher(Names names);

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    int dev_null = -1;
    Cgroups::Kept cgroups{};
  };
  Kept kept() const { return {dev_null_.get(), cgroups_.kept()}; }
  Launcher(Names names, Kept kept);

  Cgroups& cgroups() { return cgroups_; }

  // Both borrow the plan and the pipes.
  Launch for_worker(const Plan& plan, GenerationId generation, unsigned slot, const OutputPipes& pipes);
  Launch for_check(const Plan& plan, GenerationId generation, const OutputPipes& pipes);
  // A command that looks at workers: as a worker is started, but without its sockets, its voice and its cgroup.
  // `says`: for its stderr, borrowed.
  Launch for_look(const Plan& plan, GenerationId generation, const std::vector<std::string>& command, int says);
  // A program of graced's own that looks at workers, as their user: it finds nothing of theirs.
  Launch for_own_look(const Plan& plan, const std::vector<std::string>& command, int says);

  // Without sockets, and outside of the generations' cgroups. variables: NAME=VALUE, besides those that name
  // this instance. standard_input is borrowed; -1: there is nothing to read.
  Launch for_hook(const Plan& plan, const std::vector<std::string>& command, std::vector<std::string> variables,
                  int standard_input, const OutputPipes& pipes);

 private:
  Launch launch(const Plan& plan, GenerationId generation, const std::vector<std::string>& command,
                const OutputPipes& pipes);
  Launch named(const Plan& plan, const std::vector<std::string>& command, const OutputPipes& pipes) const;

  Names names_;
  Fd dev_null_;
  Cgroups cgroups_;
};

}  // namespace graced
