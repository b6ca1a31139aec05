// Sockets that listen on one address of the loopback interface, of which the first one serves, for tests of who
// gets a connection.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include <array>
#include <vector>

#include "as_root.h"
#include "linux/base/fd.h"
#include "linux/steering/steering.h"
#include "loopback.h"

namespace graced {

inline constexpr std::array all_families{Family::ipv4, Family::ipv6, Family::dual};

// Those that this user may have.
inline std::vector<SteeringMethod> all_methods() {
  if (!as_root("to steer by eBPF")) return {SteeringMethod::cbpf};
  return {SteeringMethod::ebpf, SteeringMethod::cbpf};
}

// The one that somebody has come to.
inline std::size_t arrived_at(const std::vector<Fd>& listeners) {
  std::vector<pollfd> polled;
  for (const Fd& l : listeners) polled.push_back({l.get(), POLLIN, 0});
  REQUIRE(::poll(polled.data(), polled.size(), patience_ms) == 1);
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents != 0 && accept_from(listeners[i])) return i;
  }
  return listeners.size();
}

struct ListeningGroup {
  ListeningGroup(Family family, SteeringMethod method, int sockets) : where(family), group(method) {
    for (int i = 0; i < sockets; ++i) {
      listeners.push_back(where.listen());
      group.joined(listeners.back().get(), inode_of(listeners.back()));
      if (i == 0) group.direct_to(std::array{listeners[0].get()});
    }
  }

  std::size_t arrived_at() const { return graced::arrived_at(listeners); }

  Loopback where;
  ReuseportGroup group;
  std::vector<Fd> listeners;  // the first one serves
};

}  // namespace graced
