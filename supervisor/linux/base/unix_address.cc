// unix(7).
#include "linux/base/unix_address.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace graced {

namespace {

constexpr std::size_t header = offsetof(sockaddr_un, sun_path);

UnixAddress address_with(std::string_view bytes, std::size_t length) {
  UnixAddress address;
  address.name.sun_family = AF_UNIX;
  std::memcpy(address.name.sun_path, bytes.data(), bytes.size());
  address.length = static_cast<socklen_t>(header + length);
  return address;
}

}  // namespace

std::optional<UnixAddress> unix_path_address(std::string_view path) {
  if (path.size() > longest_unix_path) {
    errno = ENAMETOOLONG;
    return std::nullopt;
  }
  return address_with(path, path.size() + 1);
}

std::optional<UnixAddress> unix_address(std::string_view text) {
  if (!text.starts_with('@')) return unix_path_address(text);
  if (text.size() > longest_unix_path + 1) {
    errno = ENAMETOOLONG;
    return std::nullopt;
  }
  UnixAddress address = address_with(text, text.size());  // a NUL at its end would be part of the name
  address.name.sun_path[0] = '\0';
  return address;
}

std::string_view unix_name(const sockaddr* address, socklen_t length) {
  if (length <= header) return {};
  const std::size_t size = std::min<std::size_t>(length, sizeof(sockaddr_un)) - header;
  return unix_name({reinterpret_cast<const char*>(address) + header, size});
}

std::string_view unix_name(std::string_view sun_path) {
  return sun_path.starts_with('\0') ? sun_path : sun_path.substr(0, sun_path.find('\0'));
}

}  // namespace graced
