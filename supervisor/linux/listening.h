// Is a process seen waiting for connections on sockets that were passed to it? For workers that do
// not say READY=1.
#pragma once

#include <sys/types.h>

#include <vector>

namespace graced {

// True if the process, or one below it, waits on every one of these sockets: registered in one of
// its epoll instances, or being blocked in accept, poll, select or recv on it. `sockets` are our
// descriptors of them; the comparison is by inode. What /proc does not show (another user's process
// without CAP_SYS_PTRACE) counts as not waiting.
bool waits_on_all(pid_t pid, const std::vector<int>& sockets);

}  // namespace graced
