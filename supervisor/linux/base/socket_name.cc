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
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof v4);
    name.endpoint = endpoint_of(AF_INET, &v4.sin_addr, ntohs(v4.sin_port));
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &storage, sizeof v6);
    name.endpoint = endpoint_of(AF_INET6, &v6.sin6_addr, ntohs(v6.sin6_port));
  } else if (storage.ss_family == AF_UNIX) {
    name.path = unix_name(reinterpret_cast<const sockaddr*>(&storage), length);
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

bool covers(const Endpoint& listening, const Endpoint& address) {
  if (listening.port != address.port) return false;
  const bool v4 = std::equal(any_v4.begin(), any_v4.begin() + 12, address.ip.begin());
  return listening.ip == address.ip || listening.ip == any_v6 || (v4 && listening.ip == any_v4);
}

SocketName socket_name(int fd) {
  return ask_for_name(::getsockname, fd);
}

SocketName peer_name(int fd) {
  return ask_for_name(::getpeername, fd);
}

}  // namespace graced
