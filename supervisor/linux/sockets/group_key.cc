// What the kernel compares before it lets two sockets into one SO_REUSEPORT group.
#include "linux/sockets/group_key.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <filesystem>
#include <string_view>

#include "linux/base/socket_option.h"
#include "linux/base/unix_address.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_socket.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

namespace graced {

namespace {

std::string unix_key(const SocketAddress& address) {
  const std::string_view name = unix_name(address.get(), address.length);
  if (name.empty()) return "";
  if (name[0] == '\0') return fmt::format("unix @{}", name.substr(1));
  std::error_code ignored;
  const std::filesystem::path path = std::filesystem::absolute(name, ignored);
  const auto directory = std::filesystem::canonical(path.parent_path(), ignored);
  return fmt::format("unix {}", ignored ? path.string() : (directory / path.filename()).string());
}

std::string internet_key(int fd, const SocketAddress& address, AddressKind kind, int interface) {
  std::string key = address_text(address, kind);
  if (address.storage.ss_family == AF_INET6 && socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1)
    key += " ipv6-only";
  if (interface > 0) key += fmt::format(" interface {}", interface);
  return key;
}

}  // namespace

std::string group_key(int fd, const SocketAddress& address, int interface) {
  if (socket_option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) return "";
  const sa_family_t family = address.storage.ss_family;
  if (family == AF_UNIX) return unix_key(address);
  const int protocol = socket_option(fd, SOL_SOCKET, SO_PROTOCOL);
  if ((family != AF_INET && family != AF_INET6) || (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP))
    return "";

  return internet_key(fd, address, AddressKind::tcp, interface);
}

std::string group_key(int fd, const SocketAddress& address) {
  return group_key(fd, address, interface_of(fd));
}

std::string group_key(int fd) {
  SocketAddress address;
  if (::getsockname(fd, address.get(), &address.length) != 0) return "";
  return group_key(fd, address);
}

std::string datagram_key(int fd, const SocketAddress& address) {
  const sa_family_t family = address.storage.ss_family;
  if (family != AF_INET && family != AF_INET6) return "";
  if (socket_option(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_UDP) return "";
  return internet_key(fd, address, AddressKind::udp, interface_of(fd));
}

std::string datagram_key(int fd) {
  SocketAddress address;
  if (::getsockname(fd, address.get(), &address.length) != 0) return "";
  return datagram_key(fd, address);
}

}  // namespace graced
