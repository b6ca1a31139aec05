// Ports that a probe connects from.
#include "linux/sockets/reserved_ports.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "linux/base/fd.h"

using namespace graced;

namespace {

bool can_bind(int family, std::uint16_t port, bool shares) {
  const Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (shares) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
  }
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(port);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
}

}  // namespace

TEST_CASE("ports that are reserved are for those who share them, until they are let go") {
  ReservedPorts ports(8);
  CHECK(ports.first() % 8 == 0);
  CHECK(ports.first() >= 1024);
  for (const int family : {AF_INET, AF_INET6}) {
    for (unsigned i = 0; i < 8; ++i) {
      const auto port = static_cast<std::uint16_t>(ports.first() + i);
      CHECK_FALSE(can_bind(family, port, false));
      CHECK(can_bind(family, port, true));
    }
  }
  ports.let_go();
  CHECK(can_bind(AF_INET, ports.first(), false));
}

TEST_CASE("two that reserve ports at a time get different ones") {
  const ReservedPorts one(8);
  const ReservedPorts other(8);
  CHECK(one.first() != other.first());
}
