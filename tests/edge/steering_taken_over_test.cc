// Another image of graced goes on to direct new connections where the one before has begun.
#include <doctest/doctest.h>

#include <array>

#include "linux/steering/steering_groups.h"
#include "steering_group.h"
#include "taken_over.h"

namespace graced {
namespace {

TEST_CASE(
    "new connections stay with the chosen socket, and can be directed to another one, after taking over") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    ListeningGroup g(Family::ipv4, method, 3);
    take_over(g.group);
    Fd client = g.where.connect();
    CHECK(g.arrived_at() == 0);
    g.group.direct_to(std::array{g.listeners[2].get()});
    take_over(g.group);
    client = g.where.connect();
    CHECK(g.arrived_at() == 2);

    // A slot, or a place, that was known before is known still.
    g.group.direct_to(std::array{g.listeners[1].get()});
    client = g.where.connect();
    CHECK(g.arrived_at() == 1);
    const ino_t gone = inode_of(g.listeners[0]);
    g.listeners[0].reset();
    g.group.left({gone});
    client = g.where.connect();
    CHECK(accept_from(g.listeners[1]));
  }
}

TEST_CASE("what was shared out goes on, and is counted on, after taking over") {
  if (!as_root("to steer by eBPF")) return;
  ListeningGroup g(Family::ipv4, SteeringMethod::ebpf, 2);
  g.group.share(1000, std::array{g.listeners[1].get()});
  Fd client = g.where.connect();
  CHECK(g.arrived_at() == 1);
  take_over(g.group);
  client = g.where.connect();
  CHECK(g.arrived_at() == 1);
  const auto counts = g.group.share_counts();
  REQUIRE(counts);
  CHECK(counts->shared == 2);
  g.group.share_no_more();
  client = g.where.connect();
  CHECK(g.arrived_at() == 0);
}

TEST_CASE("groups that are taken over take in the sockets of the next generation") {
  for (const SteeringMethod method : all_methods()) {
    Loopback where(Family::ipv4);
    SteeringGroups groups;
    groups.steer_by(method);
    std::vector<Fd> listeners;
    listeners.push_back(where.listen());
    groups.join("tcp", listeners[0].get(), inode_of(listeners[0]));
    groups.direct("tcp", {inode_of(listeners[0])});
    take_over(groups);
    listeners.push_back(where.listen());
    CHECK(groups.join("tcp", listeners[1].get(), inode_of(listeners[1])));
    CHECK_FALSE(groups.join("tcp", listeners[0].get(), inode_of(listeners[0])));
    const Fd before = where.connect();
    CHECK(arrived_at(listeners) == 0);
    groups.direct("tcp", {inode_of(listeners[1])});
    const Fd after = where.connect();
    CHECK(arrived_at(listeners) == 1);
  }
}

}  // namespace
}  // namespace graced
