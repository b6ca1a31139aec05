// Is somebody seen waiting for connections on some sockets? Listening is not waiting: many servers listen
// before they have loaded what is to answer.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <vector>

namespace graced {

// Sockets, by inode, on which somebody is to be found waiting.
class SoughtSockets {
 public:
  explicit SoughtSockets(std::vector<ino_t> inodes);

  bool wanted(ino_t inode) const;  // and not yet found
  void found(ino_t inode);         // of another: nothing
  bool all_found() const { return missing_ == 0; }

 private:
  struct Socket {
    ino_t inode;
    bool found;
  };
  std::vector<Socket> sockets_;  // by inode
  std::size_t missing_;
};

// Finds those on which one of these processes waits: a thread of it is blocked in accept, recv, poll or select
// on it, or in epoll_wait on an instance that has it. Gives a process that could not be looked into
// and may wait as well, if some are not found: another user's without CAP_SYS_PTRACE.
std::optional<pid_t> find_waited_on(const std::vector<pid_t>& processes, SoughtSockets& sockets);

// Finds those that are registered in an epoll instance of a process that is not at rest: with connections to
// answer it may never be seen waiting for the next.
void find_registered_by_busy(const std::vector<pid_t>& processes, SoughtSockets& sockets);

// Is this process seen waiting on one of them, or has it one registered in an epoll instance?
bool may_wait_on_any(pid_t process, const std::vector<ino_t>& sockets);

}  // namespace graced
