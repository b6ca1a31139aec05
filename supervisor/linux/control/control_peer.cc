// Connecting, the identity of the peer, and its end.
#include "linux/control/control_peer.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "linux/base/pidfd.h"
#include "linux/base/sys_error.h"
#include "linux/base/unix_address.h"

namespace graced::control {
namespace {

constexpr int about_to_end_ms = 1000;

timeval to_timeval(Duration d) {
  const std::int64_t us = std::max<std::int64_t>(1, d.count() / 1000);
  return {.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
}

}  // namespace

Fd connect_to(const std::string& path, Duration patience) {
  const auto address = unix_path_address(path);
  if (!address) throw sys_error("connect to {}", path);

  Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket) throw sys_error("make a socket");
  // Connecting waits where the backlog is full, as long as sending may.
  const timeval limit = to_timeval(patience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(socket.get(), address->get(), address->length) != 0)
    throw sys_error_of(errno == EAGAIN ? ETIMEDOUT : errno, "connect to {}", path);
  return socket;
}

Fd connect_now(const std::string& path) {
  const auto address = unix_path_address(path);
  if (!address) return {};
  Fd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket || ::connect(socket.get(), address->get(), address->length) != 0) {
    const int why = errno;
    socket.reset();
    errno = why;
  }
  return socket;
}

pid_t number_behind(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

Fd process_behind(int socket) {
  const pid_t number = number_behind(socket);
  return number > 0 ? open_pidfd(number) : Fd();
}

bool stays(const std::string& path, const Fd& process) {
  pollfd end{.fd = process.get(), .events = POLLIN, .revents = 0};
  if (::poll(&end, 1, about_to_end_ms) != 0) return false;
  return static_cast<bool>(connect_now(path)) || errno == EAGAIN;
}

}  // namespace graced::control
