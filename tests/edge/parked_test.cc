// Addresses of servers that know nothing of graced, made shareable and given back.
#include "linux/takeover/parked.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "foreign_server.h"
#include "in_child.h"
#include "linux/base/socket_option.h"
#include "linux/sockets/listen_beside.h"
#include "own_network.h"
#include "steering_group.h"

using namespace graced;

namespace {

constexpr uid_t nobody = 65534;

std::vector<SteeringProbe> all_steerings() {
  std::vector<SteeringProbe> steerings{{SteeringMethod::cbpf, false, ""}};
  if (!as_root("to steer by eBPF")) return steerings;
  steerings.push_back({SteeringMethod::ebpf, false, ""});  // as before Linux 5.14
  steerings.push_back({SteeringMethod::ebpf, true, ""});
  return steerings;
}

RunningServer found(const RunningForeign& server) {
  auto running = RunningServer::look({.pid = server.pid()});
  REQUIRE(running.in_the_way.empty());
  REQUIRE(running.server);
  return std::move(*running.server);
}

uid_t owner_of(int fd) {
  struct stat s {};
  REQUIRE(::fstat(fd, &s) == 0);
  return s.st_uid;
}

bool shares(const RunningSocket& socket) {
  return socket_option(socket.fd.get(), SOL_SOCKET, SO_REUSEPORT) == 1;
}

// As a worker of graced listens there.
Fd candidate_beside(const RunningSocket& socket) {
  Fd fd = listen_beside(socket.fd.get());
  REQUIRE(::fcntl(fd.get(), F_SETFL, O_NONBLOCK) == 0);
  return fd;
}

std::string heard_without_answer(const Fd& candidate, std::uint16_t port, bool v6) {
  const Fd client = client_of(port, v6);
  if (!client) return "refused";
  pollfd p{candidate.get(), POLLIN, 0};
  if (::poll(&p, 1, patience_ms) != 1) return "elsewhere";
  return accept_from(candidate) ? "candidate" : "nobody";
}

// The whole of a takeover that is given up in the end.
void take_and_give_back(const RunningForeign& server, const SteeringProbe& steering, bool v6 = false) {
  const RunningServer running = found(server);
  std::vector<uid_t> owners;
  std::vector<bool> shared;
  for (const RunningSocket& s : running.sockets()) {
    owners.push_back(owner_of(s.fd.get()));
    shared.push_back(shares(s));
  }
  SteeringGroups groups;
  groups.steer_by(steering.method);
  std::vector<Parked> parked = park(running, groups, steering);
  REQUIRE(parked.size() == 1);
  {
    const RunningSocket& old = running.sockets().front();
    const Fd candidate = candidate_beside(old);
    for (int i = 0; i < 20; ++i) REQUIRE(heard_by_client(server.port(), v6) == "o");
    groups.join(old.key, candidate.get(), inode_of(candidate));
    groups.direct(old.key, {inode_of(candidate)});
    for (int i = 0; i < 20; ++i) REQUIRE(heard_without_answer(candidate, server.port(), v6) == "candidate");
    groups.direct(old.key, parked.front().inodes());
    for (int i = 0; i < 20; ++i) REQUIRE(heard_by_client(server.port(), v6) == "o");
  }
  CHECK(parked.front().give_back() == "");
  CHECK(groups.keys().empty());
  for (std::size_t i = 0; i < owners.size(); ++i) {
    CHECK(owner_of(running.sockets()[i].fd.get()) == owners[i]);
    CHECK(shares(running.sockets()[i]) == shared[i]);
  }
  for (int i = 0; i < 20; ++i) REQUIRE(heard_by_client(server.port(), v6) == "o");
}

}  // namespace

TEST_CASE("the address of a running server is shared with a candidate and given back") {
  const OwnNetwork own;
  for (const SteeringProbe& steering : all_steerings()) {
    for (const bool reuse_address : {true, false}) {
      CAPTURE(reuse_address);
      CAPTURE(static_cast<int>(steering.method));
      for (const int family : {AF_INET, AF_INET6}) {
        for (const bool v6_only : {false, true}) {
          if (family == AF_INET && v6_only) continue;
          ForeignServer how;
          how.family = family;
          how.v6_only = v6_only;
          how.reuse_address = reuse_address;
          const RunningForeign server(how);
          take_and_give_back(server, steering, v6_only);
          // Without it its connections in TIME_WAIT have the address to themselves.
          if (reuse_address) take_and_give_back(server, steering, v6_only);
        }
      }
    }
  }
}

TEST_CASE("a server whose processes share its sockets is parked") {
  const OwnNetwork own;
  for (const SteeringProbe& steering : all_steerings()) {
    const RunningForeign server({.children = 3});
    take_and_give_back(server, steering);
    take_and_give_back(server, steering);
  }
}

TEST_CASE("a server that spreads over several sockets by SO_REUSEPORT is parked") {
  const OwnNetwork own;
  for (const SteeringProbe& steering : all_steerings()) {
    const RunningForeign server({.sharing = 4});
    CHECK(found(server).sockets().size() == 4);
    take_and_give_back(server, steering);
    take_and_give_back(server, steering);
  }
}

TEST_CASE("a server of another user gets its sockets back") {
  if (!as_root("to run a server as another user")) return;
  const OwnNetwork own;
  for (const SteeringProbe& steering : all_steerings()) {
    const RunningForeign server({.user = nobody});
    CHECK(found(server).sockets().front().owner == nobody);
    take_and_give_back(server, steering);
    take_and_give_back(server, steering);
  }
}

TEST_CASE("an ordinary user parks his own server") {
  if (!as_root("to become an ordinary user")) return;
  const OwnNetwork own;
  const RunningForeign server({.user = nobody});
  CHECK(in_child([&] {
          if (::setresuid(nobody, nobody, nobody) != 0) return std::string("setresuid");
          SteeringGroups groups;
          groups.steer_by(SteeringMethod::cbpf);
          const RunningServer running = found(server);
          const auto parked = park(running, groups, {SteeringMethod::cbpf, false, ""});
          const Fd candidate = candidate_beside(running.sockets().front());
          return heard_by_client(server.port());
        }) == "o");
  CHECK(heard_by_client(server.port()) == "o");
}

TEST_CASE("no client is lost while an address is parked and given back") {
  const OwnNetwork own;
  for (const SteeringProbe& steering : all_steerings()) {
    CAPTURE(static_cast<int>(steering.method));
    const RunningForeign server({.children = 2});
    const Hammer one(server.port());
    const Hammer two(server.port());
    const Hammer three(server.port());
    const RunningServer running = found(server);
    for (int i = 0; i < 50; ++i) {
      SteeringGroups groups;
      groups.steer_by(steering.method);
      const std::vector<Parked> parked = park(running, groups, steering);
      const Fd candidate = candidate_beside(running.sockets().front());
    }
    for (const Hammer* hammer : {&one, &two, &three}) {
      const auto [answered, lost] = hammer->stop();
      CHECK(answered > 0);
      CHECK(lost == 0);
    }
  }
}

TEST_CASE("who comes while the address is being parked goes on to the server") {
  if (!as_root("to move what is queued")) return;
  const OwnNetwork own;
  const RunningForeign server({});
  const RunningServer running = found(server);
  const RunningSocket& old = running.sockets().front();
  SteeringGroups groups;
  groups.steer_by(SteeringMethod::ebpf);
  groups.join(old.key, old.fd.get(), old.inode);
  Fd parking = candidate_beside(old);
  std::vector<Fd> clients;
  pollfd waiting{parking.get(), POLLIN, 0};
  while (::poll(&waiting, 1, 0) == 0) clients.push_back(client_of(server.port()));
  groups.direct(old.key, {old.inode});
  parking.reset();
  for (const Fd& client : clients) {
    char letter = 0;
    CHECK(::read(client.get(), &letter, 1) == 1);
  }
}

TEST_CASE("an address that a killed graced has left parked is parked again") {
  const OwnNetwork own;
  for (const SteeringProbe& steering : all_steerings()) {
    const RunningForeign server({});
    CHECK(in_child([&] {
            SteeringGroups groups;
            groups.steer_by(steering.method);
            for (Parked& p : park(found(server), groups, steering)) p.keep();
            return "parked";
          }) == "parked");
    CHECK(heard_by_client(server.port()) == "o");
    take_and_give_back(server, steering);
  }
}

TEST_CASE("an address that cannot be parked is as it was") {
  const OwnNetwork own;
  ForeignServer how;
  how.reuse_address = false;
  how.keeps = true;
  const RunningForeign server(how);
  const RunningServer running = found(server);
  const Fd client = client_of(server.port());
  SteeringGroups groups;
  const SteeringProbe steering = all_steerings().back();
  groups.steer_by(steering.method);
  CHECK_THROWS_WITH(park(running, groups, steering), "another socket on the address: Address already in use");
  CHECK_FALSE(shares(running.sockets().front()));
  CHECK(groups.keys().empty());
  CHECK(heard_by_client(server.port()) == "o");
}
