// A port that somebody has bound is none that the kernel gives to a client that lets it choose.
#include "linux/sockets/reserved_ports.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <random>

#include "linux/base/sys_error.h"

namespace graced {

namespace {

constexpr unsigned lowest_port = 1024;
constexpr unsigned highest_port = 65535;

struct Range {
  unsigned low = 32768;
  unsigned high = 60999;
};

// The kernel's default where it does not say.
Range range_of_clients() {
  Range range;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen("/proc/sys/net/ipv4/ip_local_port_range", "re"), std::fclose);
  Range said;
  if (file && std::fscanf(file.get(), "%u %u", &said.low, &said.high) == 2) range = said;
  return range;
}

// Above those of clients rather than below, where services are.
std::vector<std::uint16_t> candidates(unsigned count) {
  const Range clients = range_of_clients();
  std::vector<std::uint16_t> best, others;
  for (unsigned first = (lowest_port + count - 1) / count * count; first + count - 1 <= highest_port;
       first += count) {
    (first > clients.high ? best : others).push_back(static_cast<std::uint16_t>(first));
  }
  std::mt19937 random(std::random_device{}());
  std::ranges::shuffle(best, random);
  std::ranges::shuffle(others, random);
  std::stable_partition(others.begin(), others.end(),
                        [&](unsigned first) { return first + count - 1 < clients.low; });
  best.insert(best.end(), others.begin(), others.end());
  return best;
}

// Of both families, where there are both.
Fd bound_to(std::uint16_t port) {
  Fd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd) {
    const int off = 0;
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    if (::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0)
      return fd;
    if (errno == EADDRINUSE) return Fd();
  }
  fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return Fd();
  return fd;
}

}  // namespace

ReservedPorts::ReservedPorts(unsigned count) {
  constexpr int trials = 64;
  int tried = 0;
  for (const std::uint16_t first : candidates(count)) {
    if (take(first, count)) return;
    if (++tried == trials) break;
  }
  throw sys_error_of(EADDRINUSE, "reserve {} local ports", count);
}

bool ReservedPorts::take(std::uint16_t first, unsigned count) {
  sockets_.clear();
  for (unsigned i = 0; i < count; ++i) {
    Fd fd = bound_to(static_cast<std::uint16_t>(first + i));
    if (!fd) return false;
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockets_.push_back(std::move(fd));
  }
  first_ = first;
  return true;
}

}  // namespace graced
