// Signals to processes that may be gone: then nothing is sent, and nothing is wrong.
#pragma once

#include <sys/types.h>

#include "linux/base/fd.h"

namespace graced {

// False: it is gone, or there are no pidfds.
bool send_signal(const Fd& process, int signo);

// And SIGCONT: one that is stopped would not hear it.
void send_signal_awake(const Fd& process, int signo);

// To a child that was not reaped: by its number where there are no pidfds.
void send_signal_to_child(const Fd& process, pid_t pid, int signo);

void signal_group(pid_t leader, int signo);

// SIGKILL for the group, and for whatever left that group but still hangs below its leader.
void kill_group(pid_t leader);
void kill_all_below(pid_t leader);

pid_t group_of(pid_t pid);  // -1: it is gone
bool leads_group_without_session(pid_t pid);

}  // namespace graced
