// The address of a unix socket: a path, or a name in the abstract namespace.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <optional>
#include <string_view>

namespace graced {

struct UnixAddress {
  sockaddr_un name{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

// In bytes. An abstract name has its NUL in front, where texts have '@', and may be one byte longer with that.
inline constexpr std::size_t longest_unix_path = sizeof(sockaddr_un::sun_path) - 1;

// nullopt, and ENAMETOOLONG in errno: it is too long.
std::optional<UnixAddress> unix_path_address(std::string_view path);
// The same, where "@name" is an abstract one.
std::optional<UnixAddress> unix_address(std::string_view text);

// A path without its NUL, an abstract name with the NUL that it begins with; empty if the socket has no name.
// Points into the address, which is one of AF_UNIX.
std::string_view unix_name(const sockaddr* address, socklen_t length);
// The same, given sun_path alone as long as the address has it.
std::string_view unix_name(std::string_view sun_path);

}  // namespace graced
