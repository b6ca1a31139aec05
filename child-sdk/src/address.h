// An address to bind, from its text, and a socket bound there.
#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "graced/child.hpp"
#include "owned_fd.h"

namespace graced::child {

struct Address {
  Kind kind = Kind::stream;
  sockaddr_storage storage{};
  socklen_t length = 0;
  bool every_address = false;  // no host given: IPv6 and IPv4, or IPv4 alone where there is no IPv6
  std::string text;            // as it was written
};

// Throws std::invalid_argument, see listen() for what it reads.
Address parse_address(std::string_view text);

// Bound and, except for datagrams, listening; CLOEXEC. Throws std::system_error.
OwnedFd bind_address(const Address& address);

// Of a bound socket, as Listener::address() has it.
std::string address_of(int fd);

}  // namespace graced::child
