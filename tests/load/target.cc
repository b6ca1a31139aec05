// HOST:PORT or unix:PATH, from many loopback addresses where one would run out of ports.
#include "target.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include "options.h"

namespace load {
namespace {

constexpr unsigned source_addresses = 128;

bool on_loopback(const sockaddr_storage& address) {
  if (address.ss_family != AF_INET) return false;
  sockaddr_in in{};
  std::memcpy(&in, &address, sizeof in);
  return ntohl(in.sin_addr.s_addr) >> 24 == 127;
}

}  // namespace

Target::Target(const std::string& text) {
  if (text.starts_with("unix:")) {
    const std::string path = text.substr(5);
    sockaddr_un un{};
    if (path.empty() || path.size() >= sizeof un.sun_path) {
      throw UsageError(fmt::format("target {}: a socket path has 1 to {} bytes", text, sizeof un.sun_path - 1));
    }
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, path.data(), path.size());
    const bool abstract = path[0] == '@';
    if (abstract) un.sun_path[0] = '\0';
    std::memcpy(&address_, &un, sizeof un);
    length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
    host_ = "localhost";
    return;
  }

  const auto colon = text.rfind(':');
  std::string host = colon == text.npos ? "" : text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || colon + 1 == text.size()) {
    throw UsageError(fmt::format("target {}: name HOST:PORT or unix:PATH", text));
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), text.c_str() + colon + 1, &hints, &found)) {
    throw UsageError(fmt::format("target {}: {}", text, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  // "localhost" is often both; servers are more often on 127.0.0.1 than on ::1 alone.
  const addrinfo* best = found;
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    if (best->ai_family != AF_INET && a->ai_family == AF_INET) best = a;
  }
  std::memcpy(&address_, best->ai_addr, best->ai_addrlen);
  length_ = best->ai_addrlen;
  host_ = text;
}

graced::Fd Target::connect(int& result) {
  graced::Fd fd(::socket(address_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  result = errno;
  if (!fd) return fd;
  const int on = 1;
  if (address_.ss_family != AF_UNIX) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (on_loopback(address_)) {
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl(0x7f000001 + (connections_++ % source_addresses << 8));  // 127.0.x.1
    // The port is chosen by connect(), which knows the whole pair of addresses, not by bind().
    ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) < 0) {
      result = errno;
      return fd;
    }
  }
  result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_), length_) == 0 ? 0 : errno;
  return fd;
}

}  // namespace load
