// Whom the connections of a probe reach, and whom all others.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "as_root.h"
#include "linux/base/fd.h"
#include "own_network.h"
#include "steering_group.h"

using namespace graced;

namespace {

constexpr in_port_t first = 61448;  // no port that clients get by themselves
constexpr in_port_t second = first + probe_ports;
constexpr in_port_t third = second + probe_ports;
static_assert(first % probe_ports == 0);

// Any of a probe's that is free.
Fd probe(const Loopback& where, in_port_t from) {
  for (in_port_t port = from; port < from + probe_ports; ++port) {
    if (Fd fd = where.connect_from(port)) return fd;
  }
  return Fd();
}

}  // namespace

TEST_CASE("a probe reaches the candidate, and nobody else does, in every family") {
  for (const SteeringMethod method : all_methods()) {
    for (const Family family : all_families) {
      CAPTURE(static_cast<int>(method));
      CAPTURE(static_cast<int>(family));
      ListeningGroup g(family, method, 3);
      g.group.probe(std::array{first}, std::array{g.listeners[1].get(), g.listeners[2].get()});
      for (int i = 0; i < 20; ++i) {
        const Fd client = g.where.connect();
        CHECK(g.arrived_at() == 0);
      }
      for (int look = 0; look < 5; ++look) {
        const Fd client = probe(g.where, first);
        REQUIRE(client);
        CHECK(g.arrived_at() != 0);
      }
      const Fd neighbour = probe(g.where, second);
      REQUIRE(neighbour);
      CHECK(g.arrived_at() == 0);

      g.group.probe(std::array{second, third, first}, std::array{g.listeners[1].get()});
      for (const in_port_t from : {first, second, third}) {
        const Fd client = probe(g.where, from);
        REQUIRE(client);
        CHECK(g.arrived_at() == 1);
      }

      g.group.probe_no_more();
      const Fd late = probe(g.where, first);
      REQUIRE(late);
      CHECK(g.arrived_at() == 0);
    }
  }
}

TEST_CASE("who comes from such a port of another address is none of the probe's") {
  const OwnNetwork network;
  if (!network) return;
  const Fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const char* name : {"lo:1", "lo:2"}) {  // 10.9.0.1 and 10.9.0.2
    ifreq request{};
    std::strcpy(request.ifr_name, name);
    auto& address = reinterpret_cast<sockaddr_in&>(request.ifr_addr);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0x0a090000U + static_cast<unsigned>(name[3] - '0'));
    REQUIRE(::ioctl(control.get(), SIOCSIFADDR, &request) == 0);
  }
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    ReuseportGroup group(method);
    std::vector<Fd> listeners;
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(0x0a090001);
    where.sin_port = htons(8080);
    const int on = 1;
    for (int i = 0; i < 2; ++i) {
      const Fd& fd = listeners.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
      REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
      REQUIRE(::listen(fd.get(), 8) == 0);
      group.joined(fd.get(), inode_of(fd));
    }
    group.direct_to(std::array{listeners[0].get()});
    group.probe(std::array{first}, std::array{listeners[1].get()});
    for (const auto& [from, reached] : {std::pair{0x0a090001U, 1U}, {0x0a090002U, 0U}, {0x7f000001U, 1U}}) {
      CAPTURE(from);
      const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in own{};
      own.sin_family = AF_INET;
      own.sin_addr.s_addr = htonl(from);
      own.sin_port = htons(first);
      REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
      REQUIRE(::bind(client.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
      REQUIRE(::connect(client.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
      CHECK(arrived_at(listeners) == reached);
      const linger at_once{1, 0};  // the next method comes from there, too
      REQUIRE(::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    }
  }
}

TEST_CASE("a candidate that is gone before its probe is not stood in for") {
  if (!as_root("to steer by eBPF")) return;
  ListeningGroup g(Family::ipv4, SteeringMethod::ebpf, 2);
  g.group.probe(std::array{first}, std::array{g.listeners[1].get()});
  const ino_t gone = inode_of(g.listeners[1]);
  g.listeners[1].reset();
  CHECK_FALSE(probe(g.where, first));
  g.group.left({gone});
  CHECK_FALSE(probe(g.where, first));
  const Fd client = g.where.connect();
  CHECK(accept_from(g.listeners[0]));
}

TEST_CASE("a switch while it is probed goes to the candidate, from every port") {
  for (const SteeringMethod method : all_methods()) {
    ListeningGroup g(Family::ipv4, method, 2);
    g.group.probe(std::array{first}, std::array{g.listeners[1].get()});
    g.group.direct_to(std::array{g.listeners[1].get()});
    g.group.probe_no_more();
    const Fd client = g.where.connect();
    CHECK(g.arrived_at() == 1);
    const Fd late = probe(g.where, first);
    CHECK(g.arrived_at() == 1);
  }
}
