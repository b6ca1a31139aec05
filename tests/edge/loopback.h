// Listening sockets that share a port of the loopback interface, and clients of them.
#pragma once

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "linux/base/fd.h"
#include "linux/base/inode.h"

namespace graced {

enum class Family { ipv4, ipv6, dual };  // dual: listens for both, clients come by IPv4

inline constexpr int patience_ms = 20'000;

inline ino_t inode_of(const Fd& fd) {
  const ino_t inode = inode_of(fd.get());
  REQUIRE(inode != 0);
  return inode;
}

// False if there is nothing to be accepted (any more).
inline Fd accept_from(const Fd& listener) {
  return Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

class Loopback {
 public:
  explicit Loopback(Family family) : family_(family) {}

  // Every one on the port of the first, non-blocking.
  Fd listen(int backlog = 1024) {
    const int domain = family_ == Family::ipv4 ? AF_INET : AF_INET6;
    Fd fd(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    REQUIRE(fd);
    const int on = 1;
    const int only = family_ == Family::ipv6 ? 1 : 0;
    REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    if (domain == AF_INET6) REQUIRE(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0);
    const Name name = here();
    REQUIRE(::bind(fd.get(), name.get(), name.length) == 0);
    REQUIRE(::listen(fd.get(), backlog) == 0);
    Name bound;
    REQUIRE(::getsockname(fd.get(), bound.get(), &bound.length) == 0);
    port_ = domain == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port;
    return fd;
  }

  // Connected, blocking; REQUIREs that it is let in.
  Fd connect() const {
    Fd fd = client(0);
    const Name name = there();
    REQUIRE(::connect(fd.get(), name.get(), name.length) == 0);
    return fd;
  }

  // From this port; not connected if that is taken, or if it is refused.
  Fd connect_from(in_port_t port) const {
    Fd fd = client(0);
    const int on = 1;
    REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    Name from;
    from.length = family_ == Family::ipv6 ? sizeof from.v6 : sizeof from.v4;
    if (family_ == Family::ipv6) {
      from.v6.sin6_family = AF_INET6;
      from.v6.sin6_port = htons(port);
    } else {
      from.v4.sin_family = AF_INET;
      from.v4.sin_port = htons(port);
    }
    if (::bind(fd.get(), from.get(), from.length) != 0) return Fd();
    const Name name = there();
    return ::connect(fd.get(), name.get(), name.length) == 0 ? std::move(fd) : Fd();
  }

  // A handshake with this listener stays half open until the client has sent something.
  static void wait_for_data(const Fd& listener) {
    const int seconds = 60;
    REQUIRE(::setsockopt(listener.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds) == 0);
  }

  // 0 or an errno; EINPROGRESS if nobody has answered after so long.
  int error_of_connecting(int wait_ms) const {
    const Fd fd = client(SOCK_NONBLOCK);
    const Name name = there();
    if (::connect(fd.get(), name.get(), name.length) == 0) return 0;
    if (errno != EINPROGRESS) return errno;
    pollfd p{fd.get(), POLLOUT, 0};
    if (::poll(&p, 1, wait_ms) == 0) return EINPROGRESS;
    int error = -1;
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  }

 private:
  struct Name {
    union {
      sockaddr_in v4;
      sockaddr_in6 v6;
    };
    socklen_t length = sizeof(sockaddr_in6);
    Name() { std::memset(&v6, 0, sizeof v6); }
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&v6); }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&v6); }
  };

  Name v4() const {
    Name name;
    name.v4.sin_family = AF_INET;
    name.v4.sin_port = port_;
    name.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.length = sizeof name.v4;
    return name;
  }

  Name v6(const in6_addr& address) const {
    Name name;
    name.v6.sin6_family = AF_INET6;
    name.v6.sin6_port = port_;
    name.v6.sin6_addr = address;
    return name;
  }

  Name here() const {
    if (family_ == Family::ipv4) return v4();
    return v6(family_ == Family::ipv6 ? in6addr_loopback : in6addr_any);
  }
  Name there() const { return family_ == Family::ipv6 ? v6(in6addr_loopback) : v4(); }

  Fd client(int flags) const {
    Fd fd(::socket(family_ == Family::ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    REQUIRE(fd);
    return fd;
  }

  Family family_;
  in_port_t port_ = 0;
};

}  // namespace graced
