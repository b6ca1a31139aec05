// Whom the connections of a probe reach, and whom all others.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>

#include <array>
#include <vector>

#include "as_root.h"
#include "linux/base/fd.h"
#include "linux/steering/steering.h"
#include "loopback.h"

using namespace graced;

namespace {

const std::array all_families{Family::ipv4, Family::ipv6, Family::dual};

std::vector<SteeringMethod> all_methods() {
  if (!as_root("to steer by eBPF")) return {SteeringMethod::cbpf};
  return {SteeringMethod::ebpf, SteeringMethod::cbpf};
}

// The one that somebody has come to.
std::size_t arrived_at(const std::vector<Fd>& listeners) {
  std::vector<pollfd> polled;
  for (const Fd& l : listeners) polled.push_back({l.get(), POLLIN, 0});
  REQUIRE(::poll(polled.data(), polled.size(), patience_ms) == 1);
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents != 0 && accept_from(listeners[i])) return i;
  }
  return listeners.size();
}

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

struct Group {
  Group(Family family, SteeringMethod method, int sockets) : where(family), group(method) {
    for (int i = 0; i < sockets; ++i) {
      listeners.push_back(where.listen());
      group.joined(listeners.back().get(), inode_of(listeners.back()));
      if (i == 0) group.direct_to(std::array{listeners[0].get()});
    }
  }

  Loopback where;
  ReuseportGroup group;
  std::vector<Fd> listeners;  // the first one serves
};

}  // namespace

TEST_CASE("a probe reaches the candidate, and nobody else does, in every family") {
  for (const SteeringMethod method : all_methods()) {
    for (const Family family : all_families) {
      CAPTURE(static_cast<int>(method));
      CAPTURE(static_cast<int>(family));
      Group g(family, method, 3);
      g.group.probe(std::array{first}, std::array{g.listeners[1].get(), g.listeners[2].get()});
      for (int i = 0; i < 20; ++i) {
        const Fd client = g.where.connect();
        CHECK(arrived_at(g.listeners) == 0);
      }
      for (int look = 0; look < 5; ++look) {
        const Fd client = probe(g.where, first);
        REQUIRE(client);
        CHECK(arrived_at(g.listeners) != 0);
      }
      const Fd neighbour = probe(g.where, second);
      REQUIRE(neighbour);
      CHECK(arrived_at(g.listeners) == 0);

      g.group.probe(std::array{second, third, first}, std::array{g.listeners[1].get()});
      for (const in_port_t from : {first, second, third}) {
        const Fd client = probe(g.where, from);
        REQUIRE(client);
        CHECK(arrived_at(g.listeners) == 1);
      }

      g.group.probe_no_more();
      const Fd late = probe(g.where, first);
      REQUIRE(late);
      CHECK(arrived_at(g.listeners) == 0);
    }
  }
}

TEST_CASE("a candidate that is gone before its probe is not stood in for") {
  if (!as_root("to steer by eBPF")) return;
  Group g(Family::ipv4, SteeringMethod::ebpf, 2);
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
    Group g(Family::ipv4, method, 2);
    g.group.probe(std::array{first}, std::array{g.listeners[1].get()});
    g.group.direct_to(std::array{g.listeners[1].get()});
    g.group.probe_no_more();
    const Fd client = g.where.connect();
    CHECK(arrived_at(g.listeners) == 1);
    const Fd late = probe(g.where, first);
    CHECK(arrived_at(g.listeners) == 1);
  }
}
