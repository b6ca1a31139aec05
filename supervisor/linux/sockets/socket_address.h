// Where a socket is bound, and how that is shown.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>

#include "core/listen_spec.h"

namespace graced {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  bool same_as(const SocketAddress& other) const;
};

// "tcp [::]:8080", "udp 127.0.0.1:53", "unix /run/a.sock", "unix-dgram @abstract".
std::string address_text(const SocketAddress& address, AddressKind kind);

// Where a socket is bound; nullopt: it is none.
std::optional<SocketAddress> local_address(int fd);

// The text of where it is bound. Throws ListenError.
std::string bound_address(int fd, AddressKind kind);

// The same of tcp and udp without the kind: "[::]:8080"; empty: it is none.
std::string ip_address_of(int fd);

}  // namespace graced
