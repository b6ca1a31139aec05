// What a process has arranged for a signal, as /proc/PID/status tells.
#pragma once

#include <sys/types.h>

#include <optional>

namespace graced {

// True if it catches, blocks (in any thread: signalfd, sigwait) or ignores it; false: the signal is its end.
// nullopt if that cannot be read.
std::optional<bool> cares_for(pid_t pid, int signo);

}  // namespace graced
