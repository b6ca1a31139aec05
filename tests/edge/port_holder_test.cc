// Who holds a port, told by /proc while somebody does.
#include "linux/sockets/port_holder.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <unistd.h>

#include "in_child.h"
#include "linux/base/fd.h"
#include "linux/base/unix_address.h"
#include "opening.h"
#include "temp_directory.h"

using namespace graced;

namespace {

struct Bound {
  Fd fd;
  sockaddr_in address{};
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

Bound bind_any(int type) {
  Bound bound{Fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)), {}};
  bound.address.sin_family = AF_INET;
  socklen_t size = sizeof bound.address;
  REQUIRE(::bind(bound.fd.get(), bound.get(), size) == 0);
  if (type == SOCK_STREAM) REQUIRE(::listen(bound.fd.get(), 1) == 0);
  REQUIRE(::getsockname(bound.fd.get(), reinterpret_cast<sockaddr*>(&bound.address), &size) == 0);
  return bound;
}

}  // namespace

TEST_CASE("whoever listens everywhere is found for one address and for all of IPv6") {
  const Bound tcp = bind_any(SOCK_STREAM);
  sockaddr_in local = tcp.address;
  local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 everywhere{};
  everywhere.sin6_family = AF_INET6;
  everywhere.sin6_port = tcp.address.sin_port;

  for (const sockaddr* wanted :
       {tcp.get(), reinterpret_cast<const sockaddr*>(&local), reinterpret_cast<const sockaddr*>(&everywhere)}) {
    const auto holder = holder_of_tcp(wanted);
    REQUIRE(holder);
    CHECK(holder->pid == ::getpid());
    CHECK(holder->command == own_name());
    CHECK(holder->text() == "graced itself");
    CHECK(in_child([&] { return holder_of_tcp(wanted)->text(); }) ==
          own_name() + " (PID " + std::to_string(::getpid()) + ")");
  }
}

TEST_CASE("a udp port is another than the tcp port of the same number") {
  const Bound udp = bind_any(SOCK_DGRAM);
  REQUIRE(holder_of_udp(udp.get()));
  CHECK(holder_of_udp(udp.get())->pid == ::getpid());
}

TEST_CASE("nobody is found for a port that was given up") {
  Bound udp = bind_any(SOCK_DGRAM);
  udp.fd.reset();
  CHECK(!holder_of_udp(udp.get()));
}

TEST_CASE("of parent and child that share a socket the parent is named") {
  const Bound tcp = bind_any(SOCK_STREAM);
  // The child holds the socket too; asked from there and from a child of the child.
  CHECK(in_child([&] { return std::to_string(holder_of_tcp(tcp.get())->pid); }) == std::to_string(::getpid()));
  CHECK(in_child([&] { return in_child([&] { return std::to_string(holder_of_tcp(tcp.get())->pid); }); }) ==
        std::to_string(::getpid()));
}

TEST_CASE("a unix socket's holder is found by path, and by asking the socket") {
  const TempDirectory scratch;
  const std::string path = scratch / "with space.sock";
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UnixAddress where = unix_path_address(path).value();
  REQUIRE(::bind(fd.get(), where.get(), where.length) == 0);

  REQUIRE(holder_of_unix(path));
  CHECK(holder_of_unix(path)->pid == ::getpid());
  CHECK(!holder_of_unix(path + "x"));
  CHECK(!holder_behind(where.get(), where.length, SOCK_STREAM));
  REQUIRE(::listen(fd.get(), 4) == 0);
  REQUIRE(holder_behind(where.get(), where.length, SOCK_STREAM));
  CHECK(holder_behind(where.get(), where.length, SOCK_STREAM)->pid == ::getpid());
}
