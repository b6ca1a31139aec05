// The sockets that a worker takes its clients' connections from, known by what they are.
#pragma once

#include <sys/types.h>

#include <vector>

#include "linux/base/socket_name.h"

namespace graced {

struct ServedSocket {
  ino_t inode = 0;
  SocketName name;
};

ServedSocket served_socket(int fd);

// On which these processes, and those below them, listen; none where we may not look.
std::vector<ServedSocket> listening_of(const std::vector<pid_t>& tops);

// Is this process, not one below it, seen waiting for connections on any of them?
bool waits_for_clients(pid_t process, const std::vector<ServedSocket>& sockets);

// Has it a connection that came to one of them? True as well where that cannot be told.
bool may_have_clients(pid_t process, const std::vector<ServedSocket>& sockets);

}  // namespace graced
