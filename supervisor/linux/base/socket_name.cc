#include "linux/base/socket_name.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "linux/base/unix_address.h"

namespace graced {
namespace {

constexpr std::array<std::uint8_t, 16> any_v6{};
constexpr std::array<std::uint8_t, 16> any_v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};

using Ask = int (*)(int, sockaddr*, socklen_t*);

SocketName ask_for_name(Ask ask, int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  SocketName name;
  if (ask(fd, reinterpret_cast<sockaddr*>(&storage), &length) < 0) return name;
  name.family = storage.ss_family;
  const auto* const address = reinterpret_cast<const sockaddr*>(&storage);
  if (storage.ss_family == AF_UNIX) {
    name.path = unix_name(address, length);
  } else {
    name.endpoint = endpoint_of(address).value_or(Endpoint{});
  }
  return name;
}

}  // namespace

Endpoint endpoint_of(int family, const void* ip, std::uint16_t port) {
  Endpoint e{family == AF_INET ? any_v4 : any_v6, port};
  if (family == AF_INET) {
    std::memcpy(&e.ip[12], ip, 4);
  } else {
    std::memcpy(e.ip.data(), ip, 16);
  }
  return e;
}

std::optional<Endpoint> endpoint_of(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    return endpoint_of(AF_INET, &v4.sin_addr, ntohs(v4.sin_port));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    return endpoint_of(AF_INET6, &v6.sin6_addr, ntohs(v6.sin6_port));
  }
  return std::nullopt;
}

bool Endpoint::is_v4() const {
  return std::equal(any_v4.begin(), any_v4.begin() + 12, ip.begin());
}

bool covers(const Endpoint& listening, const Endpoint& address) {
  if (listening.port != address.port) return false;
  return listening.ip == address.ip || listening.ip == any_v6 || (address.is_v4() && listening.ip == any_v4);
}

SocketName socket_name(int fd) {
  return ask_for_name(::getsockname, fd);
}

SocketName peer_name(int fd) {
  return ask_for_name(::getpeername, fd);
}

}  // namespace graced
