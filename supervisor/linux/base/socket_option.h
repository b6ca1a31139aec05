// What a socket is set to, where that is a number.
#pragma once

#include <sys/socket.h>

namespace graced {

// -1 if the socket has no such option.
inline int socket_option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

}  // namespace graced
