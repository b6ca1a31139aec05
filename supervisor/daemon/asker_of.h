// Who wants something, as the history tells.
#pragma once

#include <sys/types.h>

#include "core/history.h"
#include "linux/event/loop.h"

namespace graced {

// pid 0: it is of another PID namespace.
Asker asker_at_control_socket(pid_t pid, uid_t user);

Asker asker_by_signal(int signo, const SignalSender& sender);

}  // namespace graced
