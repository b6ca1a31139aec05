#include "linux/sockets/listen_beside.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "linux/base/socket_option.h"
#include "linux/base/sys_error.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

namespace {

void must_set(int fd, int level, int name, int value) {
  if (::setsockopt(fd, level, name, &value, sizeof value) < 0) throw sys_error("another socket on the address");
}

// What the kernel compares before it puts two into one group, and what lets this one be bound there at all.
void take_after(int fd, int other, bool v6) {
  const auto take = [&](int level, int name) {
    if (const int value = socket_option(other, level, name); value > 0) must_set(fd, level, name, value);
  };
  if (v6) must_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, socket_option(other, IPPROTO_IPV6, IPV6_V6ONLY));
  take(SOL_SOCKET, SO_BINDTOIFINDEX);
  take(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND);
  take(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT);
}

}  // namespace

Fd bind_beside(int listening_fd) {
  SocketAddress where;
  if (::getsockname(listening_fd, where.get(), &where.length) < 0) throw sys_error("the address of a socket");
  const int family = where.storage.ss_family;
  Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw sys_error("another socket on the address");
  must_set(listening_fd, SOL_SOCKET, SO_REUSEPORT, 1);
  must_set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  must_set(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  take_after(fd.get(), listening_fd, family == AF_INET6);
  if (::bind(fd.get(), where.get(), where.length) < 0) throw sys_error("another socket on the address");
  return fd;
}

Fd listen_beside(int listening_fd) {
  Fd fd = bind_beside(listening_fd);
  if (::listen(fd.get(), SOMAXCONN) < 0) throw sys_error("another socket on the address");
  return fd;
}

}  // namespace graced
