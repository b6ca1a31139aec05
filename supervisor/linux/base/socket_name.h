// Where a socket is bound, in a form that can be compared.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace graced {

struct Endpoint {
  std::array<std::uint8_t, 16> ip{};  // IPv4 as ::ffff:a.b.c.d
  std::uint16_t port = 0;

  bool is_v4() const;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// `ip` as it is in the kernel's structures, 4 or 16 bytes in network order; `port` in ours.
Endpoint endpoint_of(int family, const void* ip, std::uint16_t port);

std::optional<Endpoint> endpoint_of(const sockaddr* address);  // nullopt: of another family

// Does a socket that listens there get connections to this address?
bool covers(const Endpoint& listening, const Endpoint& address);

struct SocketName {
  int family = 0;     // AF_INET, AF_INET6, AF_UNIX, 0 if it cannot be told
  Endpoint endpoint;  // of the first two
  std::string path;   // unix_name(); accepted ones have that of their listener
};

SocketName socket_name(int fd);
SocketName peer_name(int fd);  // whom it is connected to

}  // namespace graced
