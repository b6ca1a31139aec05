// Options are compared rather than copied, so that what nobody has set keeps the kernel's own ways (buffers
// that grow by themselves).
#include "linux/sockets/plain_tcp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "linux/base/socket_option.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace graced {

namespace {

struct Option {
  int level;
  int name;
  bool doubled = false;  // the kernel tells twice what it was told
};

constexpr std::array options = {
    Option{SOL_SOCKET, SO_REUSEADDR},      Option{SOL_SOCKET, SO_REUSEPORT},
    Option{SOL_SOCKET, SO_KEEPALIVE},      Option{SOL_SOCKET, SO_LINGER},
    Option{SOL_SOCKET, SO_OOBINLINE},      Option{SOL_SOCKET, SO_PRIORITY},
    Option{SOL_SOCKET, SO_MARK},           Option{SOL_SOCKET, SO_RCVLOWAT},
    Option{SOL_SOCKET, SO_RCVTIMEO},       Option{SOL_SOCKET, SO_SNDTIMEO},
    Option{SOL_SOCKET, SO_BINDTOIFINDEX},  Option{SOL_SOCKET, SO_RCVBUF, true},
    Option{SOL_SOCKET, SO_SNDBUF, true},   Option{IPPROTO_IP, IP_TOS},
    Option{IPPROTO_IP, IP_FREEBIND},       Option{IPPROTO_IP, IP_TRANSPARENT},
    Option{IPPROTO_IPV6, IPV6_V6ONLY},     Option{IPPROTO_IPV6, IPV6_TCLASS},
    Option{IPPROTO_IPV6, IPV6_FREEBIND},   Option{IPPROTO_IPV6, IPV6_TRANSPARENT},
    Option{IPPROTO_TCP, TCP_NODELAY},      Option{IPPROTO_TCP, TCP_KEEPIDLE},
    Option{IPPROTO_TCP, TCP_KEEPINTVL},    Option{IPPROTO_TCP, TCP_KEEPCNT},
    Option{IPPROTO_TCP, TCP_USER_TIMEOUT}, Option{IPPROTO_TCP, TCP_DEFER_ACCEPT},
    Option{IPPROTO_TCP, TCP_FASTOPEN},     Option{IPPROTO_TCP, TCP_MAXSEG},
    Option{IPPROTO_TCP, TCP_CONGESTION},
};

struct Value {
  std::array<char, 32> bytes{};
  socklen_t size = sizeof bytes;
  bool operator==(const Value&) const = default;
};

bool read_option(int fd, const Option& option, Value& value) {
  return ::getsockopt(fd, option.level, option.name, value.bytes.data(), &value.size) == 0;
}

void copy_option(int from, int to, const Option& option) {
  Value wanted;
  Value has;
  if (!read_option(from, option, wanted) || !read_option(to, option, has) || wanted == has) return;
  if (option.doubled) {
    int bytes = 0;
    std::memcpy(&bytes, wanted.bytes.data(), sizeof bytes);
    bytes /= 2;
    const int forced = option.name == SO_RCVBUF ? SO_RCVBUFFORCE : SO_SNDBUFFORCE;
    if (::setsockopt(to, SOL_SOCKET, forced, &bytes, sizeof bytes) == 0) return;
    std::memcpy(wanted.bytes.data(), &bytes, sizeof bytes);
  }
  ::setsockopt(to, option.level, option.name, wanted.bytes.data(), wanted.size);
}

std::uint64_t network_of(int fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

}  // namespace

bool is_mptcp(int fd) {
  return socket_option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_MPTCP;
}

Fd plain_tcp_like(int mptcp) {
  Fd plain(::socket(socket_option(mptcp, SOL_SOCKET, SO_DOMAIN), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!plain) return plain;
  if (network_of(mptcp) != network_of(plain.get())) {
    errno = EXDEV;
    return Fd();
  }
  for (const Option& option : options) copy_option(mptcp, plain.get(), option);
  return plain;
}

}  // namespace graced
