// inet_rcv_saddr_equal() in the kernel's net/ipv4/inet_connection_sock.c.
#include "linux/sockets/address_overlap.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <optional>

#include "linux/base/socket_option.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

namespace {

// What one socket gets packets for, by family: an address, perhaps any, or none at all.
struct Reach {
  in_port_t port = 0;
  int interface = 0;
  std::optional<in_addr> v4{};
  std::optional<in6_addr> v6{};
  std::uint32_t scope = 0;  // of a link-local address
};

constexpr in_addr any_v4{INADDR_ANY};

Reach reach_of(int fd, const SocketAddress& where) {
  Reach reach;
  reach.interface = interface_of(fd);
  if (where.storage.ss_family == AF_INET) {
    sockaddr_in address;
    std::memcpy(&address, &where.storage, sizeof address);
    reach.port = address.sin_port;
    reach.v4 = address.sin_addr;
    return reach;
  }
  sockaddr_in6 address;
  std::memcpy(&address, &where.storage, sizeof address);
  reach.port = address.sin6_port;
  reach.scope = address.sin6_scope_id;
  if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
    in_addr mapped;
    std::memcpy(&mapped, &address.sin6_addr.s6_addr[12], sizeof mapped);
    reach.v4 = mapped;
    return reach;
  }
  reach.v6 = address.sin6_addr;
  const bool any = IN6_IS_ADDR_UNSPECIFIED(&address.sin6_addr);
  if (any && socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1) reach.v4 = any_v4;
  return reach;
}

bool both(const in_addr& a, const in_addr& b) {
  return a.s_addr == b.s_addr || a.s_addr == INADDR_ANY || b.s_addr == INADDR_ANY;
}

bool both(const in6_addr& a, const in6_addr& b) {
  return IN6_ARE_ADDR_EQUAL(&a, &b) || IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_UNSPECIFIED(&b);
}

bool may_differ(std::uint32_t a, std::uint32_t b) {
  return a != 0 && b != 0 && a != b;
}

}  // namespace

bool overlaps(int bound, int fd, const SocketAddress& where) {
  SocketAddress there;
  if (::getsockname(bound, there.get(), &there.length) != 0) return false;
  const Reach a = reach_of(bound, there);
  const Reach b = reach_of(fd, where);
  if (a.port != b.port || may_differ(a.scope, b.scope)) return false;
  if (a.interface != 0 && b.interface != 0 && a.interface != b.interface) return false;
  return (a.v4 && b.v4 && both(*a.v4, *b.v4)) || (a.v6 && b.v6 && both(*a.v6, *b.v6));
}

}  // namespace graced
