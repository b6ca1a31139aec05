// A share of the new connections at random, by both kinds of program.
#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "steering_group.h"

using namespace graced;

namespace {

struct Shared : ListeningGroup {
  using ListeningGroup::ListeningGroup;

  void close(std::size_t i) {
    const ino_t inode = inode_of(listeners[i]);
    listeners[i].reset();
    group.left({inode});
  }

  // How many of so many new connections each socket gets.
  std::vector<int> spread(int connections) const {
    std::vector<int> got(listeners.size());
    for (int i = 0; i < connections; ++i) {
      const Fd client = where.connect();
      ++got.at(arrived_at());
    }
    return got;
  }
};

}  // namespace

TEST_CASE("of 10 000 connections a share of 10 % is 8 to 12 %") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Shared g(Family::ipv4, method, 3);
    g.group.share(100, std::array{g.listeners[1].get(), g.listeners[2].get()});
    const std::vector<int> got = g.spread(10'000);
    const int shared = got[1] + got[2];
    CHECK(shared > 800);
    CHECK(shared < 1200);
    CHECK(got[1] > shared / 4);  // both of them
    CHECK(got[2] > shared / 4);

    const auto counts = g.group.share_counts();
    REQUIRE(counts.has_value() == (method == SteeringMethod::ebpf));
    if (!counts) continue;
    CHECK(counts->shared == static_cast<unsigned>(shared));
    CHECK(counts->others == static_cast<unsigned>(got[0]));
  }
}

TEST_CASE("a share is changed at once, in every family, and ends") {
  for (const SteeringMethod method : all_methods()) {
    for (const Family family : all_families) {
      CAPTURE(static_cast<int>(method));
      CAPTURE(static_cast<int>(family));
      Shared g(family, method, 3);
      g.group.share(1, std::array{g.listeners[1].get()});
      g.group.share(999, std::array{g.listeners[1].get()});
      CHECK(g.spread(200)[1] > 150);
      g.group.direct_to(std::array{g.listeners[2].get()});  // a replacement: the share stays
      CHECK(g.spread(200)[1] > 150);
      CHECK(g.spread(200)[0] == 0);
      g.group.share_no_more();
      CHECK(g.spread(60)[2] == 60);
      CHECK_FALSE(g.group.share_counts());

      g.group.share(500, std::array{g.listeners[1].get()});
      g.group.forget_share();
      g.group.direct_to(std::array{g.listeners[1].get()});
      CHECK(g.spread(60)[1] == 60);
    }
  }
}

TEST_CASE("nobody is refused when those that get a share are gone, nor when the others are") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Shared g(Family::ipv4, method, 4);
    g.group.direct_to(std::array{g.listeners[0].get(), g.listeners[1].get()});
    g.group.share(900, std::array{g.listeners[2].get(), g.listeners[3].get()});
    g.close(2);
    CHECK(g.spread(200)[3] > 130);
    g.close(0);
    const auto got = g.spread(200);
    CHECK(got[3] > 130);
    CHECK(got[1] + got[3] == 200);
    g.close(3);
    CHECK(g.spread(60)[1] == 60);
  }
}

TEST_CASE("a probe reaches whom it looks at, whatever the share") {
  constexpr in_port_t first = 61536;  // no port that clients get by themselves
  static_assert(first % probe_ports == 0);
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Shared g(Family::ipv4, method, 3);
    g.group.share(900, std::array{g.listeners[1].get()});
    g.group.probe(std::array{first}, std::array{g.listeners[2].get()});
    int looks = 0;
    for (in_port_t port = first; port < first + probe_ports; ++port) {
      const Fd look = g.where.connect_from(port);
      if (!look) continue;
      ++looks;
      CHECK(g.arrived_at() == 2);
    }
    CHECK(looks > 0);
    CHECK(g.spread(200)[1] > 130);
    CHECK(g.spread(60)[2] == 0);
    g.group.probe_no_more();
    CHECK(g.spread(200)[1] > 130);
  }
}

TEST_CASE("a probe of who serves reaches that one, whatever the share, and costs nothing where there is none") {
  constexpr in_port_t first = 61552;
  constexpr in_port_t second = first + probe_ports;
  static_assert(first % probe_ports == 0);
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Shared g(Family::ipv4, method, 3);
    g.group.spare(std::array{first});  // before there is a share
    g.group.share(990, std::array{g.listeners[1].get()});
    g.group.probe(std::array{second}, std::array{g.listeners[2].get()});
    const auto looks_arrive_at = [&](in_port_t from, std::size_t at) {
      int looks = 0;
      for (in_port_t port = from; port < from + probe_ports; ++port) {
        const Fd look = g.where.connect_from(port);
        if (!look) continue;
        ++looks;
        CHECK(g.arrived_at() == at);
      }
      CHECK(looks > 0);
    };
    looks_arrive_at(first, 0);
    looks_arrive_at(second, 2);
    CHECK(g.spread(200)[1] > 170);
    g.group.spare({});
    CHECK(g.spread(200)[1] > 170);
    g.group.share_no_more();
    CHECK(g.spread(60)[0] == 60);
  }
}
