// Listening sockets that get no connection, next to others that do: asked of the kernel itself.
#include "linux/sockets/hiding.h"
#include "linux/sockets/group_key.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "adoption_story.h"
#include "as_root.h"
#include "in_child.h"
#include "linux/adoption/adopted_socket.h"
#include "linux/sockets/accept_queue.h"
#include "linux/sockets/address_overlap.h"
#include "linux/sockets/listen_socket.h"
#include "linux/steering/steering.h"
#include "loopback.h"
#include "own_network.h"
#include "wait_until.h"

using namespace graced;

namespace {

constexpr in_addr_t everywhere = INADDR_ANY;

Where mapped(in_port_t port, in_addr_t address) {
  in6_addr v4_in_v6{};
  v4_in_v6.s6_addr[10] = v4_in_v6.s6_addr[11] = 0xff;
  const in_addr_t network_order = htonl(address);
  std::memcpy(&v4_in_v6.s6_addr[12], &network_order, 4);
  return v6(port, v4_in_v6);
}

Fd bound(const Where& where, bool v6only = false) {
  Fd fd(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  const int only = v6only ? 1 : 0;
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
  if (where.storage.ss_family == AF_INET6)
    REQUIRE(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0);
  REQUIRE(::bind(fd.get(), where.get(), where.length) == 0);
  return fd;
}

void listen_on(const Fd& fd) {
  REQUIRE(::listen(fd.get(), 64) == 0);
}

Fd listening(const Where& where, bool v6only = false) {
  Fd fd = bound(where, v6only);
  listen_on(fd);
  return fd;
}

struct Hiding {
  Fd fd;
  Hidden hidden;
  explicit Hiding(const Where& where, Hidden::Way way = Hidden::Way::unseen)
      : fd(bound(where)), hidden(hide(fd.get(), way)) {
    listen_on(fd);
  }
  void appear() const { show(fd.get(), hidden); }
};

// A client's connection and the socket that has it: "first", "second"; or why there is none.
std::string reached(const Where& where, const Fd& first, const Fd& second) {
  const Fd client(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.get(), where.get(), where.length) != 0) return outcome(-1);
  std::string who;
  REQUIRE(wait_until([&] {
    if (accept_from(first)) who = "first";
    if (accept_from(second)) who = "second";
    return !who.empty();
  }));
  return who;
}

// EINPROGRESS where nobody answers for a while.
std::string patient_client(const Where& where, int wait_ms) {
  const Fd client(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(client.get(), where.get(), where.length) == 0) return "ok";
  if (errno != EINPROGRESS) return outcome(-1);
  pollfd p{client.get(), POLLOUT, 0};
  if (::poll(&p, 1, wait_ms) == 0) return "EINPROGRESS";
  int error = -1;
  socklen_t size = sizeof error;
  ::getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  return outcome(error == 0 ? 0 : -1);
}

bool become_nobody() {
  return ::geteuid() != 0 || ::setresuid(65534, 65534, 65534) == 0;
}

struct Overlap {
  const char* what;
  Where served;
  Where candidate;
  Where client;  // who reaches both
};

std::vector<Overlap> overlaps_on(in_port_t port) {
  const in6_addr any = in6addr_any;
  return {
      {"0.0.0.0, 127.0.0.1", v4(port, everywhere), v4(port), v4(port)},
      {"[::], 0.0.0.0", v6(port, any), v4(port, everywhere), v4(port)},
      {"[::], 127.0.0.1", v6(port, any), v4(port), v4(port)},
      {"[::], [::1]", v6(port, any), v6(port), v6(port)},
      {"[::], [::ffff:127.0.0.1]", v6(port, any), mapped(port, INADDR_LOOPBACK), v4(port)},
      {"0.0.0.0, [::ffff:127.0.0.1]", v4(port, everywhere), mapped(port, INADDR_LOOPBACK), v4(port)},
      {"127.0.0.1, 0.0.0.0", v4(port), v4(port, everywhere), v4(port)},
  };
}

}  // namespace

TEST_CASE("a candidate on a more specific address takes nothing from the one that serves before it is shown") {
  if (!as_root("to show a socket again")) return;
  const OwnNetwork network;
  for (const Overlap& o : overlaps_on(free_port())) {
    CAPTURE(o.what);
    const Fd serving = listening(o.served);
    const Hiding candidate(o.candidate);
    for (int i = 0; i < 20; ++i) CHECK(reached(o.client, serving, candidate.fd) == "first");
    candidate.appear();
    const std::string after = reached(o.client, serving, candidate.fd);
    CHECK(after == (o.what == std::string("127.0.0.1, 0.0.0.0") ? "first" : "second"));
  }
}

TEST_CASE("who asks for an address that only a candidate has is refused until it serves") {
  if (!as_root("to show a socket again")) return;
  const OwnNetwork network;
  const in_port_t port = free_port();
  for (const Where& where : {v4(port), v6(port), v4(port, everywhere)}) {
    const Hiding candidate(where);
    const Where client = where.storage.ss_family == AF_INET ? v4(port) : v6(port);
    CHECK(patient_client(client, patience_ms) == "ECONNREFUSED");
    candidate.appear();
    CHECK(reached(client, candidate.fd, candidate.fd) == "first");
  }
}

TEST_CASE("what was accepted after it was shown is bound to no interface") {
  if (!as_root("to show a socket again")) return;
  const OwnNetwork network;
  const in_port_t port = free_port();
  const Hiding candidate(v4(port));
  candidate.appear();
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), v4(port).get(), v4(port).length) == 0);
  Fd accepted;
  REQUIRE(wait_until([&] {
    accepted = accept_from(candidate.fd);
    return static_cast<bool>(accepted);
  }));
  CHECK(interface_of(accepted.get()) == 0);
  CHECK(!is_unseen(accepted.get()));
}

TEST_CASE("an interface of the server's own comes back when it is shown") {
  if (!as_root("to bind a socket to an interface")) return;
  const OwnNetwork network;
  const in_port_t port = free_port();
  const Fd fd = bound(v4(port));
  const int loopback = 1;
  REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &loopback, sizeof loopback) == 0);
  SocketAddress where;
  REQUIRE(::getsockname(fd.get(), where.get(), &where.length) == 0);
  const std::string key = group_key(fd.get());
  const Hidden hidden = hide(fd.get(), Hidden::Way::unseen);
  CHECK(group_key(fd.get(), where, hidden.interface) == key);
  CHECK(interface_of(fd.get()) == 0);
  show(fd.get(), hidden);
  CHECK(interface_of(fd.get()) == loopback);
  CHECK(group_key(fd.get()) == key);
}

TEST_CASE(
    "what is queued and what is half open stays with an address that is given up, and nobody else comes") {
  for (const bool privileged : {true, false}) {
    CAPTURE(privileged);
    const std::string said = in_child([&] {
      const OwnNetwork network;
      if (!privileged && !become_nobody()) return std::string("cannot become nobody");
      const in_port_t port = free_port();
      const Fd leaving = listening(v4(port));
      const Fd queued(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      REQUIRE(::connect(queued.get(), v4(port).get(), v4(port).length) == 0);
      REQUIRE(wait_until([&] { return accept_queue(leaving.get()) == 1U; }));
      Loopback::wait_for_data(leaving);
      const Fd half_open(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      REQUIRE(::connect(half_open.get(), v4(port).get(), v4(port).length) == 0);

      hide(leaving.get(), Hidden::Way::unseen);
      if (patient_client(v4(port), patience_ms) != "ECONNREFUSED") return std::string("was let in");
      if (::send(half_open.get(), "data", 4, MSG_NOSIGNAL) != 4) return std::string("was reset");
      REQUIRE(wait_until([&] { return accept_queue(leaving.get()) == 2U; }));
      for (const Fd& client : {std::cref(queued), std::cref(half_open)}) {
        const Fd accepted = accept_from(leaving);
        std::array<char, 8> text{};
        if (!accepted || ::send(accepted.get(), "answer", 6, MSG_NOSIGNAL) != 6 ||
            ::recv(client.get(), text.data(), text.size(), 0) != 6)
          return std::string("no answer");
      }
      return std::string("all answered");
    });
    CHECK(said == "all answered");
  }
}

TEST_CASE("an interface that the server chooses while it is hidden stays when it is shown") {
  if (!as_root("to bind a socket to an interface")) return;
  const OwnNetwork network;
  const Hiding candidate(v4(free_port()));
  const int loopback = 1;
  REQUIRE(::setsockopt(candidate.fd.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &loopback, sizeof loopback) == 0);
  candidate.appear();
  CHECK(interface_of(candidate.fd.get()) == loopback);
}

TEST_CASE("a new owner of a less specific address gets who comes when the specific one is given up") {
  const OwnNetwork network;
  const in_port_t port = free_port();
  const Fd old = listening(v4(port));
  const Fd next = listening(v4(port, everywhere));
  CHECK(reached(v4(port), old, next) == "first");
  hide(old.get(), Hidden::Way::unseen);
  for (int i = 0; i < 20; ++i) CHECK(reached(v4(port), old, next) == "second");
}

TEST_CASE("without CAP_NET_RAW new connections to a new address are dropped until it is shown") {
  CHECK(in_child([] {
          const OwnNetwork network;
          if (!become_nobody()) return std::string("cannot become nobody");
          if (way_to_hide_for_a_while() != Hidden::Way::drop_new_connections) return std::string("not dropped");
          const in_port_t port = free_port();
          for (const auto& [where, client] :
               {std::pair{v4(port), v4(port)}, std::pair{v6(port), v6(port)},
                std::pair{v6(port, in6addr_any), v4(port)}, std::pair{v6(port, in6addr_any), v6(port)}}) {
            const Hiding candidate(where, Hidden::Way::drop_new_connections);
            if (const std::string said = patient_client(client, 50); said != "EINPROGRESS") return said;
            candidate.appear();
            if (reached(client, candidate.fd, candidate.fd) != "first") return std::string("not reached");
          }
          return std::string("all right");
        }) == "all right");
}

TEST_CASE("root shows again what it has hidden") {
  if (!as_root("to show a socket again")) return;
  CHECK(way_to_hide_for_a_while() == Hidden::Way::unseen);
}

TEST_CASE("sockets of one address that were hidden are one group, which others join later") {
  if (!as_root("to show a socket again")) return;
  const OwnNetwork network;
  for (const SteeringMethod method : {SteeringMethod::ebpf, SteeringMethod::cbpf}) {
    CAPTURE(static_cast<int>(method));
    const in_port_t port = free_port();
    const Hiding one(v4(port));
    const Hiding two(v4(port));
    ReuseportGroup group(method);
    group.joined(one.fd.get(), inode_of(one.fd));
    group.joined(two.fd.get(), inode_of(two.fd));
    group.direct_to(std::array{two.fd.get()});
    one.appear();
    two.appear();
    for (int i = 0; i < 20; ++i) CHECK(reached(v4(port), one.fd, two.fd) == "second");
    const Fd later = listening(v4(port));
    group.joined(later.get(), inode_of(later));
    for (int i = 0; i < 20; ++i) CHECK(reached(v4(port), later, two.fd) == "second");
    group.direct_to(std::array{later.get()});
    for (int i = 0; i < 20; ++i) CHECK(reached(v4(port), later, two.fd) == "first");
  }
}

TEST_CASE("SYN cookies find a socket that was shown, and none that is hidden") {
  if (!as_root("to ask for SYN cookies")) return;
  const OwnNetwork network;
  REQUIRE(network);  // or the machine's own setting would be changed
  std::ofstream("/proc/sys/net/ipv4/tcp_syncookies") << 2;
  const in_port_t port = free_port();
  const Fd serving = listening(v4(port, everywhere));
  const Hiding candidate(v4(port));
  CHECK(reached(v4(port), serving, candidate.fd) == "first");
  candidate.appear();
  CHECK(reached(v4(port), serving, candidate.fd) == "second");
}

TEST_CASE("two addresses overlap where the kernel lets only one socket listen") {
  const OwnNetwork network;
  const in_port_t port = free_port();
  struct Side {
    Where where;
    bool v6only = false;
  };
  const std::vector<Side> sides{{v4(port)},
                                {v4(port, everywhere)},
                                {v4(port, INADDR_LOOPBACK + 1)},
                                {v6(port)},
                                {v6(port, in6addr_any)},
                                {v6(port, in6addr_any), true},
                                {mapped(port, INADDR_LOOPBACK)},
                                {mapped(port, INADDR_LOOPBACK + 1)},
                                {v4(static_cast<in_port_t>(port + 1))}};
  for (std::size_t a = 0; a < sides.size(); ++a) {
    for (std::size_t b = 0; b < sides.size(); ++b) {
      CAPTURE(a);
      CAPTURE(b);
      const Fd first = listening(sides[a].where, sides[a].v6only);
      const Fd second(::socket(sides[b].where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const int only = sides[b].v6only ? 1 : 0;
      if (sides[b].where.storage.ss_family == AF_INET6)
        REQUIRE(::setsockopt(second.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0);
      const bool let_in = ::bind(second.get(), sides[b].where.get(), sides[b].where.length) == 0;
      SocketAddress where;
      std::memcpy(&where.storage, &sides[b].where.storage, sizeof where.storage);
      where.length = sides[b].where.length;
      CHECK(overlaps(first.get(), second.get(), where) == !let_in);
    }
  }
}
