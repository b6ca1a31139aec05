#include "linux/sockets/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/printable.h"
#include "linux/base/unix_address.h"
#include "linux/sockets/listen_error.h"

namespace graced {
namespace {

std::string ip_text(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address.storage, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
  }
  sockaddr_in6 v6;
  std::memcpy(&v6, &address.storage, sizeof v6);
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  std::array<char, IF_NAMESIZE> interface {};
  const bool scoped = v6.sin6_scope_id != 0 && ::if_indextoname(v6.sin6_scope_id, interface.data()) != nullptr;
  return fmt::format("[{}{}{}]:{}", text.data(), scoped ? "%" : "", interface.data(), ntohs(v6.sin6_port));
}

std::string unix_text(const SocketAddress& address) {
  const std::string_view path = unix_name(address.get(), address.length);
  if (path.empty()) return "(unnamed)";
  if (path[0] == '\0') return fmt::format("@{}", printable(path.substr(1)));
  return printable(path);
}

}  // namespace

bool SocketAddress::same_as(const SocketAddress& other) const {
  return length == other.length && std::memcmp(&storage, &other.storage, length) == 0;
}

std::optional<SocketAddress> local_address(int fd) {
  SocketAddress where;
  if (::getsockname(fd, where.get(), &where.length) != 0) return std::nullopt;
  return where;
}

std::string address_text(const SocketAddress& address, AddressKind kind) {
  switch (kind) {
    case AddressKind::tcp:
      return "tcp " + ip_text(address);
    case AddressKind::udp:
      return "udp " + ip_text(address);
    case AddressKind::unix_stream:
      return "unix " + unix_text(address);
    case AddressKind::unix_dgram:
      return "unix-dgram " + unix_text(address);
    case AddressKind::unix_seqpacket:
      return "unix-seqpacket " + unix_text(address);
    case AddressKind::inherited:
      break;
  }
  return fmt::format("socket of address family {}", address.storage.ss_family);
}

std::string bound_address(int fd, AddressKind kind) {
  SocketAddress local;
  if (::getsockname(fd, local.get(), &local.length) < 0)
    throw listen_error(errno, fmt::format("descriptor {}", fd));
  return address_text(local, kind);
}

std::string ip_address_of(int fd) {
  const auto address = local_address(fd);
  return address ? ip_text(*address) : "";
}

}  // namespace graced
