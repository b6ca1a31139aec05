// Reading addresses and binding them, for workers that nobody handed a socket to.
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <charconv>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "sys_error.h"

namespace graced::child {
namespace {

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw std::invalid_argument("address '" + std::string(text) + "': " + why);
}

bool strip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

template <class SocketAddress>
void store(Address& address, const SocketAddress& from, std::size_t length = sizeof(SocketAddress)) {
  std::memcpy(&address.storage, &from, length);
  address.length = static_cast<socklen_t>(length);
}

void read_unix(Address& address, std::string_view path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path == "@") refuse(address.text, "a path or @name must follow the colon");
  if (path.size() >= sizeof un.sun_path) {
    refuse(address.text, "longer than " + std::to_string(sizeof un.sun_path - 1) + " bytes");
  }
  std::memcpy(un.sun_path, path.data(), path.size());
  const bool abstract = path.front() == '@';
  if (abstract) un.sun_path[0] = '\0';
  // An abstract name ends where the length says; a path ends with its zero.
  store(address, un, offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
}

std::uint16_t read_port(const Address& address, std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || port > 65535) {
    refuse(address.text, "port '" + std::string(text) + "' is not a number between 0 and 65535");
  }
  return htons(static_cast<std::uint16_t>(port));
}

void read_ip(Address& address, std::string_view text) {
  const auto colon = text.rfind(':');
  std::string host(colon == text.npos ? "" : text.substr(0, colon));
  const std::uint16_t port = read_port(address, colon == text.npos ? text : text.substr(colon + 1));
  if (host == "localhost") host = "127.0.0.1";

  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = port;
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = port;
  in6.sin6_addr = in6addr_any;
  if (host.empty() || host == "*") {
    address.every_address = true;
    store(address, in6);
  } else if (host.size() > 2 && host.front() == '[' && host.back() == ']' &&
             ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &in6.sin6_addr) == 1) {
    store(address, in6);
  } else if (::inet_pton(AF_INET, host.c_str(), &in.sin_addr) == 1) {
    store(address, in);
  } else {
    refuse(address.text,
           "host '" + host + "' is no IP address; write 127.0.0.1, [::1], localhost, or unix:/path");
  }
}

int socket_type(Kind kind) {
  switch (kind) {
    case Kind::stream:
      return SOCK_STREAM;
    case Kind::datagram:
      return SOCK_DGRAM;
    case Kind::seqpacket:
      return SOCK_SEQPACKET;
    case Kind::other:
      break;
  }
  throw std::logic_error("no socket type for this kind");
}

OwnedFd open_socket(const Address& address) {
  OwnedFd fd(::socket(address.storage.ss_family, socket_type(address.kind) | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) throw sys_error("socket for " + address.text);
  const int on = 1;
  const int off = 0;
  // Not for datagrams: there it would let two servers share a port, one of which would get nothing.
  if (address.kind == Kind::stream) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.every_address) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  return fd;
}

bool try_bind(int fd, const Address& address) {
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0;
}

// A socket file outlives its server; only a refused connection proves that nobody is behind it.
bool remove_stale_file(const Address& address) {
  const auto& un = reinterpret_cast<const sockaddr_un&>(address.storage);
  if (address.storage.ss_family != AF_UNIX || un.sun_path[0] == '\0') return false;
  const OwnedFd probe(::socket(AF_UNIX, socket_type(address.kind) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return false;
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&un), address.length) == 0) return false;
  return errno == ECONNREFUSED && ::unlink(un.sun_path) == 0;
}

Address ipv4_only(Address address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port;
  in.sin_addr.s_addr = htonl(INADDR_ANY);
  store(address, in);
  address.every_address = false;
  return address;
}

OwnedFd bind_only(const Address& address) {
  OwnedFd fd = open_socket(address);
  if (!try_bind(fd.get(), address)) {
    const int refused = errno;
    if (refused != EADDRINUSE || !remove_stale_file(address))
      throw sys_error_of(refused, "bind " + address.text);
    if (!try_bind(fd.get(), address)) throw sys_error("bind " + address.text);
  }
  return fd;
}

bool no_ipv6(const std::system_error& e) {
  return e.code().value() == EAFNOSUPPORT || e.code().value() == EADDRNOTAVAIL;
}

}  // namespace

Address parse_address(std::string_view text) {
  Address address;
  address.text = text;
  if (text.find('\0') != text.npos) refuse("", "holds a zero byte");
  if (strip(text, "unix:")) {
    read_unix(address, text);
  } else if (strip(text, "unix-dgram:")) {
    address.kind = Kind::datagram;
    read_unix(address, text);
  } else if (strip(text, "unix-seqpacket:")) {
    address.kind = Kind::seqpacket;
    read_unix(address, text);
  } else {
    if (strip(text, "udp:")) {
      address.kind = Kind::datagram;
    } else {
      strip(text, "tcp:");
    }
    read_ip(address, text);
  }
  return address;
}

OwnedFd bind_address(const Address& address) {
  OwnedFd fd = [&] {
    try {
      return bind_only(address);
    } catch (const std::system_error& e) {
      if (!address.every_address || !no_ipv6(e)) throw;
      return bind_only(ipv4_only(address));
    }
  }();
  if (address.kind != Kind::datagram && ::listen(fd.get(), SOMAXCONN) != 0) {
    throw sys_error("listen on " + address.text);
  }
  return fd;
}

std::string address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    if (errno == ENOTSOCK) return "";
    throw sys_error("getsockname of descriptor " + std::to_string(fd));
  }
  char host[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(in.sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
    return std::string("[") + host + "]:" + std::to_string(ntohs(in6.sin6_port));
  }
  if (storage.ss_family == AF_UNIX) {
    const auto& un = reinterpret_cast<const sockaddr_un&>(storage);
    const std::size_t size = length - offsetof(sockaddr_un, sun_path);
    if (size > 0 && un.sun_path[0] == '\0') return "unix:@" + std::string(un.sun_path + 1, size - 1);
    return "unix:" + std::string(un.sun_path, ::strnlen(un.sun_path, size));
  }
  return "";
}

}  // namespace graced::child
