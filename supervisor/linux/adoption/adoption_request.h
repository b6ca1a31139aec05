// What a worker's filter asked about, in plain terms, and how to look at whoever asks. Valid only while
// SeccompNotifications::still_asked: check that after looking, before acting.
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "linux/base/fd.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

struct AdoptionRequest {
  enum class Call { bind, listen, unlink, rename, link, other };

  std::uint64_t id = 0;
  pid_t thread = 0;  // 0: not visible from graced's PID namespace
  Call call = Call::other;
  int fd = -1;                // bind, listen; unlink, rename, link: the directory, or AT_FDCWD
  std::uint64_t pointer = 0;  // bind: the address; else the path
  std::uint32_t length = 0;   // bind: of the address
  int number = 0;             // listen: the backlog; unlink, rename, link: flags
  int to_fd = -1;             // rename, link: likewise, of what it is to be called
  std::uint64_t to_pointer = 0;
};

// Native calls and 32-bit ones.
AdoptionRequest request_of(const seccomp_notif& asked);

// The address that a bind is about, nullopt with errno if it cannot be read or is none.
std::optional<SocketAddress> address_of(const AdoptionRequest& request);

// A path in the memory of who asks (pointer, to_pointer), nullopt if it cannot be read.
std::optional<std::string> path_at(pid_t thread, std::uint64_t pointer);

// A duplicate of a descriptor of a thread's, or none, with errno.
Fd copy_descriptor(pid_t thread, int number);

// Whether descriptor `number` of the thread's goes away when it calls exec.
bool closes_on_exec(pid_t thread, int number);

}  // namespace graced
