// Who shares a SO_REUSEPORT group with whom.
#pragma once

#include <string>

namespace graced {

struct SocketAddress;

// Equal for two sockets exactly if the kernel would put them into one SO_REUSEPORT group, bound to the same
// address: family, v6only, interface, address and port; or the unix path. Empty for what is not handed off
// (other types, unbound).
std::string group_key(int fd);
std::string group_key(int fd, const SocketAddress& address);                 // that it is about to be bound to
std::string group_key(int fd, const SocketAddress& address, int interface);  // of a hidden one: its own

// The same for UDP, empty for anything else.
std::string datagram_key(int fd);
std::string datagram_key(int fd, const SocketAddress& address);

}  // namespace graced
