// Children of graced that have ended, or were stopped or continued: waitid(2).
#pragma once

#include <sys/types.h>

#include <optional>

namespace graced {

// As siginfo_t has it: code is CLD_EXITED and its kin, status an exit status or a signal.
struct ChildExit {
  pid_t pid;
  int code;
  int status;
};

// One that has ended, the same one until it is reaped: it is a zombie, and its number nobody else's.
std::optional<ChildExit> next_ended_child();
void reap(pid_t child);

// One that was stopped or goes on, each time once.
std::optional<ChildExit> next_stopped_child();

// Orphans of graced's children become its own from now on. Throws std::system_error.
void adopt_orphans();

}  // namespace graced
