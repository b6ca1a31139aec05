#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include "probe/look.h"

namespace graced {

namespace {

// Closed at the end of its scope.
class Socket {
 public:
  explicit Socket(int family) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

using Clock = std::chrono::steady_clock;

int milliseconds_until(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

// 0 or an errno.
int bind_to_any(int fd, int family, const LocalPorts& from) {
  if (from.count == 0) return 0;
  free_local_port(fd, family);
  for (unsigned port = from.first; port < from.first + from.count; ++port) {
    sockaddr_storage any{};
    any.ss_family = static_cast<sa_family_t>(family);
    socklen_t length = sizeof(sockaddr_in);
    if (family == AF_INET6) {
      reinterpret_cast<sockaddr_in6&>(any).sin6_port = htons(static_cast<std::uint16_t>(port));
      length = sizeof(sockaddr_in6);
    } else {
      reinterpret_cast<sockaddr_in&>(any).sin_port = htons(static_cast<std::uint16_t>(port));
    }
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&any), length) == 0) return 0;
  }
  return errno;
}

// 0 or an errno; ETIMEDOUT: nobody has answered.
int connect_by(int fd, const sockaddr* where, socklen_t length, Clock::time_point end) {
  if (::connect(fd, where, length) == 0) return 0;
  if (errno == EAGAIN) return ETIMEDOUT;  // a unix socket whose queue is full
  if (errno != EINPROGRESS) return errno;
  pollfd writable{fd, POLLOUT, 0};
  if (::poll(&writable, 1, milliseconds_until(end)) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

int connect_to_path(const std::string& path, Clock::time_point end) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return ENAMETOOLONG;
  path.copy(name.sun_path, path.size());
  const Socket socket(AF_UNIX);
  if (socket.fd() < 0) return errno;
  return connect_by(socket.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof name, end);
}

Look outcome(int error, const ProbeSpec& spec) {
  if (error == 0) return {true, "connected"};
  if (error == ETIMEDOUT) return {false, fmt::format("no answer in {}", to_text(spec.timeout))};
  return {false, error_text(error)};
}

}  // namespace

void free_local_port(int socket, int family) {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
}

std::string error_text(int error) {
  std::string text = std::strerror(error);
  if (!text.empty()) text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  return text;
}

Look look_by_connecting(const ProbeSpec& spec, const LocalPorts& from) {
  const auto end = Clock::now() + spec.timeout;
  if (!spec.unix_path.empty()) return outcome(connect_to_path(spec.unix_path, end), spec);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(spec.host.c_str(), fmt::format("{}", spec.port).c_str(), &hints, &found);
  if (failed != 0) return {false, fmt::format("no address of {}: {}", spec.host, ::gai_strerror(failed))};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);

  int error = 0;
  for (const addrinfo* a = found; a; a = a->ai_next) {
    const Socket socket(a->ai_family);
    if (socket.fd() < 0) {
      error = errno;
      continue;
    }
    error = bind_to_any(socket.fd(), a->ai_family, from);
    if (error == 0) error = connect_by(socket.fd(), a->ai_addr, a->ai_addrlen, end);
    if (error == 0) break;
  }
  return outcome(error, spec);
}

}  // namespace graced
