#include "linux/sockets/shut_listener.h"

#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>

#include "linux/sockets/listen_error.h"

namespace graced {

const std::uint32_t shut_events = EPOLLRDHUP;

bool is_shut(int fd) {
  pollfd socket{.fd = fd, .events = POLLRDHUP, .revents = 0};
  return ::poll(&socket, 1, 0) == 1 && (socket.revents & (POLLHUP | POLLRDHUP)) != 0;
}

bool listen_again(int fd, const SocketAddress& where, const ListenOptions& options,
                  const std::string& address) {
  if (where.storage.ss_family == AF_UNIX) return false;
  // A port that the kernel chose was given back, one that was asked for is still bound (EINVAL).
  if (::bind(fd, where.get(), where.length) < 0 && errno != EINVAL) {
    throw listen_error(errno, "bind " + address + " again");
  }
  start_listening(fd, options, address);
  return true;
}

}  // namespace graced
