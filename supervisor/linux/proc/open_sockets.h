// Which sockets a process and those below it have open, and where.
#pragma once

#include <sys/types.h>

#include <unordered_map>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

struct SocketPlace {
  pid_t process;
  pid_t thread;  // the same, unless the first thread has ended before the others
  int fd;        // in that process
};

using OpenSockets = std::unordered_map<ino_t, SocketPlace>;  // by inode; one place of possibly many

// Processes that are gone meanwhile have none. Throws std::system_error, "read /proc/812/fd: Permission
// denied", if one of them is another user's and we may not look (CAP_SYS_PTRACE).
OpenSockets sockets_of_tree(pid_t top);
OpenSockets sockets_of_trees(const std::vector<pid_t>& tops);
OpenSockets sockets_of_process(pid_t process);  // without those below it

// Sockets of other processes as descriptors of ours.
class SocketTaker {
 public:
  // None if it is another socket there meanwhile, or nothing. Throws std::system_error where the kernel
  // does not give it: EPERM.
  Fd take(ino_t inode, const SocketPlace& place);

  // Whatever is there. To close a file of some file systems is to write it out, so only where a socket is to be
  // expected.
  Fd take(const SocketPlace& place);

 private:
  pid_t thread_ = 0;  // whose pidfd it is: the same one is wanted again and again
  Fd pidfd_;
};

}  // namespace graced
