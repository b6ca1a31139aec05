#include "linux/steering.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "in_child.h"
#include "linux/fd.h"
#include "loopback.h"

using namespace graced;

namespace {

// The sockets of an address and the group they form.
struct Address {
  Address(Family family, SteeringMeans means, int sockets) : where(family), group(means) {
    for (int i = 0; i < sockets; ++i) listen();
  }

  void listen() {
    listeners.push_back(where.listen());
    group.joined(listeners.back().get(), inode_of(listeners.back()));
  }

  void close(std::size_t i) {
    const ino_t inode = inode_of(listeners[i]);
    listeners[i].reset();
    group.left(inode);
  }

  void direct_to(std::initializer_list<std::size_t> chosen) {
    std::vector<int> fds;
    for (const std::size_t i : chosen) fds.push_back(listeners[i].get());
    group.direct_to(fds);
  }

  // How many of so many new connections each socket gets.
  std::vector<int> spread(int connections) {
    std::vector<Fd> clients;
    std::vector<int> got(listeners.size());
    for (int i = 0; i < connections; ++i) {
      clients.push_back(where.connect());
      bool arrived = false;
      while (!arrived) {
        std::vector<pollfd> polled;
        for (const Fd& l : listeners) polled.push_back({l.get(), POLLIN, 0});
        REQUIRE(::poll(polled.data(), polled.size(), patience_ms) > 0);
        for (std::size_t s = 0; s < polled.size(); ++s) {
          if (polled[s].revents != 0 && accept_from(listeners[s])) arrived = ++got[s] > 0;
        }
      }
    }
    return got;
  }

  Loopback where;
  ReuseportGroup group;
  std::vector<Fd> listeners;
};

const std::array all_families{Family::ipv4, Family::ipv6, Family::dual};

}  // namespace

TEST_CASE("new connections reach the chosen sockets and no other, in every family") {
  for (const SteeringMeans means : {SteeringMeans::ebpf, SteeringMeans::cbpf}) {
    for (const Family family : all_families) {
      for (const int sockets : {2, 3, 5}) {
        CAPTURE(static_cast<int>(means));
        CAPTURE(static_cast<int>(family));
        CAPTURE(sockets);
        Address address(family, means, sockets);
        for (std::size_t chosen = 0; chosen < address.listeners.size(); ++chosen) {
          address.direct_to({chosen});
          std::vector<int> wanted(address.listeners.size());
          wanted[chosen] = 60;
          CHECK(address.spread(60) == wanted);
        }
      }
    }
  }
}

TEST_CASE("several chosen sockets share what comes, and what joins later gets nothing") {
  for (const SteeringMeans means : {SteeringMeans::ebpf, SteeringMeans::cbpf}) {
    CAPTURE(static_cast<int>(means));
    Address address(Family::ipv4, means, 4);
    address.direct_to({1, 3});
    address.listen();
    const auto got = address.spread(300);
    CHECK(got[0] + got[2] + got[4] == 0);
    CHECK(got[1] > 50);
    CHECK(got[3] > 50);
  }
}
