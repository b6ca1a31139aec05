// What adoption needs of this machine, tried for real in a process that lives for a moment.
#pragma once

#include <string>

#include "linux/worker/spawn.h"

namespace graced {

struct AdoptionCapability {
  bool possible = false;
  bool needs_no_new_privs = false;  // sudo and setuid programs will not work below the worker
  bool wait_killable = false;       // else (before Linux 5.19) a signal can interrupt a worker's bind
  // One line with the way out. Not possible: what is missing. Possible: what it costs here, empty if
  // nothing.
  std::string why;
};

// `worker` is who the workers will be, if not graced's own user: to look into another user's process
// takes CAP_SYS_PTRACE. Takes a millisecond at most. Throws std::system_error where no process can be
// started at all.
AdoptionCapability probe_adoption(const Launch::Identity* worker = nullptr);

}  // namespace graced
