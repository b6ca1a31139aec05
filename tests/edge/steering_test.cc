#include "linux/steering/steering.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "as_root.h"
#include "in_child.h"
#include "linux/base/fd.h"
#include "linux/sockets/accept_queue.h"
#include "opening.h"
#include "steering_group.h"
#include "wait_until.h"

using namespace graced;

namespace {

// The sockets of an address and the group they form.
struct Address {
  Address(Family family, SteeringMethod method, int sockets) : where(family), group(method) {
    for (int i = 0; i < sockets; ++i) listen();
  }

  void listen() {
    listeners.push_back(where.listen());
    group.joined(listeners.back().get(), inode_of(listeners.back()));
  }

  void close(std::size_t i) {
    const ino_t inode = inode_of(listeners[i]);
    listeners[i].reset();
    group.left({inode});
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

  std::vector<Fd> connect(int clients) const {
    std::vector<Fd> connected;
    for (int i = 0; i < clients; ++i) connected.push_back(where.connect());
    return connected;
  }

  // connect() returns before the listener has seen the end of the handshake.
  bool comes_to_queue(std::size_t i, unsigned connections) const {
    return wait_until([&] { return accept_queue(listeners[i].get()) == connections; });
  }

  Loopback where;
  ReuseportGroup group;
  std::vector<Fd> listeners;
};

}  // namespace

TEST_CASE("new connections reach the chosen sockets and no other, in every family") {
  for (const SteeringMethod method : all_methods()) {
    for (const Family family : all_families) {
      for (const int sockets : {2, 3, 5}) {
        CAPTURE(static_cast<int>(method));
        CAPTURE(static_cast<int>(family));
        CAPTURE(sockets);
        Address address(family, method, sockets);
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

TEST_CASE("a socket that is chosen three times gets three times as many") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address address(Family::ipv4, method, 3);
    address.direct_to({0, 1, 1, 1});
    const std::vector<int> got = address.spread(400);
    CHECK(got[0] > 50);
    CHECK(got[1] > 220);
    CHECK(got[2] == 0);
  }
}

TEST_CASE("a switch leaves what is queued where it is, and refuses nobody") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address address(Family::dual, method, 2);
    address.direct_to({0});
    const auto before = address.connect(20);
    address.direct_to({1});
    const auto after = address.connect(20);
    CHECK(address.comes_to_queue(0, 20));
    CHECK(address.comes_to_queue(1, 20));
  }
}

TEST_CASE("what is queued at a socket that is closed is accepted by the chosen one") {
  if (!as_root("to steer by eBPF")) return;
  for (const Family family : all_families) {
    CAPTURE(static_cast<int>(family));
    Address address(family, SteeringMethod::ebpf, 3);
    address.direct_to({0});
    const auto clients = address.connect(20);
    REQUIRE(address.comes_to_queue(0, 20));
    address.direct_to({2});
    address.close(0);
    CHECK(accept_queue(address.listeners[1].get()) == 0U);
    CHECK(accept_queue(address.listeners[2].get()) == 20U);
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const Fd accepted = accept_from(address.listeners[2]);
      REQUIRE(accepted);
      CHECK(::send(accepted.get(), "late", 4, MSG_NOSIGNAL) == 4);
    }
    for (const Fd& client : clients) {
      std::array<char, 8> text{};
      CHECK(::recv(client.get(), text.data(), text.size(), 0) == 4);
    }
  }
}

TEST_CASE("generations come and go, and each gets all of its connections") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address address(Family::ipv4, method, 1);
    address.direct_to({0});
    for (std::size_t generation = 1; generation < 12; ++generation) {
      address.listen();
      CHECK(address.spread(10)[generation - 1] == 10);
      address.direct_to({generation});
      CHECK(address.spread(10)[generation] == 10);
      address.close(generation - 1);
      CHECK(address.spread(10)[generation] == 10);
    }
  }
}

TEST_CASE("with one generation draining, its socket may be closed at any moment without eBPF, too") {
  Address address(Family::ipv4, SteeringMethod::cbpf, 2);
  address.direct_to({1});
  address.listeners[0].reset();  // left() has not been told yet
  CHECK(address.spread(60)[1] == 60);
}

TEST_CASE("with several draining, one may be closed at any moment without eBPF where several serve") {
  Address address(Family::ipv4, SteeringMethod::cbpf, 6);
  address.direct_to({3, 4, 5});
  for (const std::vector<std::size_t>& old : {std::vector<std::size_t>{0}, {1, 2}}) {
    std::vector<ino_t> leaving;
    for (const std::size_t i : old) leaving.push_back(inode_of(address.listeners[i]));
    address.group.leaves(leaving);
    for (const std::size_t i : old) {
      const auto before = address.spread(100);
      CHECK(before[3] + before[4] + before[5] == 100);
      address.listeners[i].reset();
      const auto after = address.spread(100);
      CHECK(after[3] + after[4] + after[5] == 100);
    }
    address.group.left(leaving);
    const auto got = address.spread(300);
    for (const std::size_t i : {3U, 4U, 5U}) CHECK(got[i] > 50);
  }
}

TEST_CASE("one that leaves while those that serve have stopped listening is no error") {
  Address address(Family::ipv4, SteeringMethod::cbpf, 4);
  address.direct_to({2, 3});
  const ino_t leaving = inode_of(address.listeners[0]);
  for (const std::size_t i : {2U, 3U}) REQUIRE(::shutdown(address.listeners[i].get(), SHUT_RDWR) == 0);
  CHECK(error_of([&] { address.group.leaves({leaving}); }) == "no error");
}

TEST_CASE("a choice may return to earlier sockets, shrink and grow") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address address(Family::ipv4, method, 4);
    address.direct_to({0, 1});
    address.direct_to({2, 3});
    address.direct_to({0, 1});
    CHECK(address.spread(40)[2] == 0);
    address.direct_to({1});
    CHECK(address.spread(40)[1] == 40);
    address.direct_to({0, 1, 2, 3});
    for (const int got : address.spread(400)) CHECK(got > 40);
  }
}

TEST_CASE("as long as one of the chosen sockets is open, no other gets anything") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address address(Family::ipv4, method, 5);
    address.direct_to({0, 1, 4});
    address.close(0);
    address.close(4);
    CHECK(address.spread(60)[1] == 60);
  }
  if (!as_root("to steer by eBPF")) return;
  Address address(Family::ipv4, SteeringMethod::ebpf, 5);
  address.direct_to({0, 1, 4});
  address.listeners[0].reset();  // even before left() is told
  address.listeners[4].reset();
  CHECK(address.spread(60)[1] == 60);
}

TEST_CASE(
    "sockets that stop listening before they leave together are no error, as with nginx and 'reuseport' at a "
    "stop") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address a(Family::ipv4, method, 3);
    a.direct_to({1, 2});
    std::vector<ino_t> gone;
    for (const std::size_t i : {1U, 2U}) {
      gone.push_back(inode_of(a.listeners[i]));
      REQUIRE(::shutdown(a.listeners[i].get(), SHUT_RDWR) == 0);
    }
    a.listeners[1].reset();
    CHECK(error_of([&] { a.group.left(gone); }) == "no error");
    a.listeners[2].reset();
  }
}

TEST_CASE("if all of the chosen sockets are closed the others get what comes") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address address(Family::ipv4, method, 3);
    address.direct_to({1});
    address.close(1);
    const auto got = address.spread(60);
    CHECK(got[0] + got[2] == 60);
  }
}

TEST_CASE("a handshake that had begun completes after a switch") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address address(Family::ipv4, method, 2);
    address.where.wait_for_data(address.listeners[0]);
    address.direct_to({0});
    const Fd client = address.where.connect();
    address.direct_to({1});
    CHECK(accept_queue(address.listeners[0].get()) == 0U);
    CHECK(::send(client.get(), "data", 4, MSG_NOSIGNAL) == 4);
    CHECK(address.comes_to_queue(0, 1));
  }
}

TEST_CASE("what cannot be directed is told with the step") {
  Loopback where(Family::ipv4);
  const Fd listener = where.listen();
  ReuseportGroup none(SteeringMethod::none);
  none.joined(listener.get(), inode_of(listener));
  CHECK(error_of([&] { none.direct_to(std::array{listener.get()}); }) ==
        "direct new connections: Operation not supported");

  ReuseportGroup places(SteeringMethod::cbpf);
  CHECK(error_of([&] {
          places.direct_to(std::array{listener.get()});
        }).starts_with("the place of listening socket"));

  if (!as_root("to steer by eBPF")) return;
  const Fd alone(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // neither SO_REUSEPORT nor listening
  ReuseportGroup slots(SteeringMethod::ebpf);
  CHECK(error_of([&] { slots.direct_to(std::array{alone.get()}); }).starts_with("BPF_MAP_UPDATE_ELEM: "));
  slots.direct_to(std::array{listener.get()});  // and the group is as before
}

TEST_CASE("an MPTCP socket is told apart from what is not permitted") {
  constexpr int mptcp = 262;
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, mptcp));
  if (!listener) {
    MESSAGE("skipped: no MPTCP in this kernel");
    return;
  }
  const int on = 1;
  REQUIRE(::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
  REQUIRE(::listen(listener.get(), 4) == 0);
  for (const SteeringMethod method : all_methods()) {
    ReuseportGroup group(method);
    group.joined(listener.get(), inode_of(listener));
    CHECK(
        error_of([&] { group.direct_to(std::array{listener.get()}); }).ends_with(": Operation not supported"));
  }
}

TEST_CASE("the probe finds eBPF here, and says what an unprivileged user has instead") {
  if (!as_root("to steer by eBPF")) return;
  const SteeringProbe probe = probe_steering();
  CHECK(probe.method == SteeringMethod::ebpf);
  CHECK(probe.migrates);
  CHECK(probe.why.empty());

  constexpr unsigned nobody = 65534;
  const std::string without = in_child([] {
    if (::setresuid(nobody, nobody, nobody) < 0) return std::string("cannot become nobody");
    const SteeringProbe p = probe_steering();
    return (p.method == SteeringMethod::cbpf ? "cbpf: " : "not cbpf: ") + p.why;
  });
  CHECK(
      without.starts_with("cbpf: BPF_MAP_CREATE: Operation not permitted: needs CAP_BPF; "
                          "while several generations drain, a new connection now and then reaches an old one"));
}

TEST_CASE("without the privilege the group directs by classic BPF all the same") {
  CHECK(in_child([] {
          if (::setresuid(65534, 65534, 65534) < 0) return std::string("cannot become nobody");
          Address address(Family::ipv4, probe_steering().method, 3);
          address.direct_to({1});
          return std::to_string(address.spread(50)[1]);
        }) == "50");
}

TEST_CASE("several chosen sockets share what comes, and what joins later gets nothing") {
  for (const SteeringMethod method : all_methods()) {
    CAPTURE(static_cast<int>(method));
    Address address(Family::ipv4, method, 4);
    address.direct_to({1, 3});
    address.listen();
    const auto got = address.spread(300);
    CHECK(got[0] + got[2] + got[4] == 0);
    CHECK(got[1] > 50);
    CHECK(got[3] > 50);
  }
}
