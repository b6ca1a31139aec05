// Servers that know nothing of graced: which one is meant, and what is in the way of taking it.
#include "linux/takeover/running_server.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <string>
#include <vector>

#include "as_root.h"
#include "foreign_server.h"
#include "in_child.h"
#include "own_network.h"
#include "wait_until.h"

using namespace graced;

namespace {

RunningServer::Found look_at(const std::string& target) {
  return RunningServer::look(parse_take_target(target));
}

RunningServer::Found look_at(const RunningForeign& server) {
  return look_at(std::to_string(server.pid()));
}

std::string obstacle(const RunningServer::Found& found) {
  return found.in_the_way.size() == 1 ? found.in_the_way.front()
                                      : fmt::format("{} obstacles", found.in_the_way.size());
}

std::string who(const RunningForeign& server) {
  return fmt::format("PID {} (edge_tests)", server.pid());
}

}  // namespace

TEST_CASE("a running server is found by its PID and by its address") {
  const OwnNetwork own;
  const RunningForeign server({.children = 2});
  for (const std::string& target : {std::to_string(server.pid()), fmt::format("tcp:{}", server.port()),
                                    fmt::format("tcp:127.0.0.1:{}", server.port())}) {
    CAPTURE(target);
    const auto found = look_at(target).server;
    REQUIRE(found);
    CHECK(found->pid() == server.pid());
    CHECK(found->text() == who(server));
    CHECK(found->processes().size() == 3);
    CHECK(found->user() == ::geteuid());
    CHECK_FALSE(found->unit());
    REQUIRE(found->sockets().size() == 1);
    const RunningSocket& socket = found->sockets().front();
    CHECK(socket.address == fmt::format("tcp 127.0.0.1:{}", server.port()));
    CHECK(socket.key == socket.address);
    CHECK_FALSE(socket.had_reuseport);
  }
}

TEST_CASE("a server on all addresses is found by any of them") {
  const OwnNetwork own;
  const RunningForeign server({.family = AF_INET6});
  for (const char* host : {"127.0.0.1", "[::1]"}) {
    const auto found = look_at(fmt::format("tcp:{}:{}", host, server.port())).server;
    REQUIRE(found);
    CHECK(found->pid() == server.pid());
    CHECK(found->sockets().front().address == fmt::format("tcp [::]:{}", server.port()));
  }
}

TEST_CASE("the end of a running server is seen by its descriptors") {
  const OwnNetwork own;
  RunningForeign server({.children = 1});
  const auto found = look_at(server);
  REQUIRE(found.server);
  server.end();
  for (const RunningProcess& process : found.server->processes()) {
    pollfd p{process.pidfd.get(), POLLIN, 0};
    CHECK(::poll(&p, 1, 60'000) == 1);
  }
}

TEST_CASE("what does not run, or listens nowhere, is nothing to take") {
  const OwnNetwork own;
  if (!own) return;
  CHECK(look_at("tcp:8080").nothing == "nothing listens on tcp:8080");
  CHECK(look_at("4194305").nothing == "there is no process 4194305");
  const RunningForeign server({});
  CHECK(look_at(fmt::format("tcp:127.0.0.2:{}", server.port())).nothing ==
        fmt::format("nothing listens on tcp:127.0.0.2:{}", server.port()));
  CHECK_FALSE(look_at("tcp:8080").server);
}

TEST_CASE("a server of datagrams alone is not taken") {
  const OwnNetwork own;
  const RunningForeign server({.type = SOCK_DGRAM});
  const auto found = look_at(server);
  CHECK_FALSE(found.server);
  CHECK(obstacle(found) == who(server) + " has no TCP socket that listens, and others cannot be taken");
}

TEST_CASE("a server of MPTCP is not taken") {
  const OwnNetwork own;
  constexpr int mptcp = 262;
  if (!Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, mptcp))) {
    MESSAGE("skipped: this kernel has no MPTCP");
    return;
  }
  const RunningForeign server({.protocol = mptcp});
  CHECK(obstacle(look_at(server)) ==
        fmt::format(
            "tcp 127.0.0.1:{} is an MPTCP socket, for which the kernel asks no program where connections go: "
            "start the server anew without MPTCP (Go: GODEBUG=multipathtcp=0) first",
            server.port()));
}

TEST_CASE("a server without SO_REUSEADDR is taken only while it has no connections") {
  const OwnNetwork own;
  ForeignServer how;
  how.reuse_address = false;
  how.keeps = true;
  const RunningForeign server(how);
  CHECK(look_at(server).in_the_way.empty());
  Fd client = client_of(server.port());
  CHECK(obstacle(look_at(server)) ==
        fmt::format(
            "tcp 127.0.0.1:{} was bound without SO_REUSEADDR, so nobody can bind it beside its connections (1 "
            "open, 0 in TIME_WAIT, which takes 60 s): take it when there are none, or end the server first",
            server.port()));

  how.keeps = false;
  const RunningForeign hasty(how);
  {
    // The server's end comes first, so that it is the one that waits.
    const Fd served = client_of(hasty.port());
    char letters[2];
    REQUIRE(::recv(served.get(), letters, 1, MSG_WAITALL) == 1);
    REQUIRE(::recv(served.get(), letters, 1, 0) == 0);
  }
  CHECK(wait_until(
      [&] { return obstacle(look_at(hasty)).find("(0 open, 1 in TIME_WAIT") != std::string::npos; }));
}

TEST_CASE("a server in another network is not taken") {
  if (!as_root("to have another network")) return;
  const RunningForeign server({.in_own_network = true});
  CHECK(obstacle(look_at(server)).starts_with(who(server) + " is in another network namespace"));
}

TEST_CASE("a server in a container is not taken") {
  if (!as_root("to have other PIDs")) return;
  CHECK(in_child([] {
          const RunningForeign server({.in_own_pids = true});
          return obstacle(look_at(server)).substr(who(server).size());
        }) ==
        " is in a container, whose engine ends with it what graced would start: build graced into the image");
}

TEST_CASE("whoever else has the server's sockets is in the way") {
  const OwnNetwork own;
  const RunningForeign server({.children = 1});
  const auto whole = look_at(server);
  REQUIRE(whole.server);
  const pid_t child = whole.server->processes().back().id.pid;
  CHECK(
      obstacle(look_at(std::to_string(child))) ==
      fmt::format(
          "{} has tcp 127.0.0.1:{} as well, and is not below PID {} (edge_tests): name the process above both, "
          "or end it first",
          who(server), server.port(), child));
}

TEST_CASE("two servers on one port are not taken by that port") {
  const OwnNetwork own;
  if (!own) return;
  CHECK(in_child([] {
          const RunningForeign one({.family = AF_INET6, .v6_only = true});
          // The same port, of IPv4.
          const pid_t other = ::fork();
          if (other == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            sockaddr_in v4{};
            v4.sin_family = AF_INET;
            v4.sin_port = htons(one.port());
            const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&v4), sizeof v4) < 0 || ::listen(fd.get(), 1) < 0)
              ::_exit(1);
            for (;;) ::pause();
          }
          const std::string target = fmt::format("tcp:{}", one.port());
          const std::string expected = fmt::format("several listen on {}: ", target);
          const bool seen = wait_until([&] { return obstacle(look_at(target)).starts_with(expected); });
          ::kill(other, SIGKILL);
          ::waitpid(other, nullptr, 0);
          return seen ? "several" : "not seen";
        }) == "several");
}

TEST_CASE("graced takes neither itself nor what has started it") {
  CHECK(obstacle(look_at(std::to_string(::getpid()))) ==
        fmt::format("PID {} (edge_tests) is this graced itself", ::getpid()));
  CHECK(obstacle(look_at(std::to_string(::getppid()))).ends_with("has started this graced itself"));
}

TEST_CASE("a worker of graced is not taken") {
  CHECK(in_child([] {
          ::prctl(PR_SET_NAME, "graced");
          const RunningForeign server({});
          const auto by_pid = look_at(std::to_string(server.pid()));
          const auto by_address = look_at(fmt::format("tcp:127.0.0.1:{}", server.port()));
          const std::string line = fmt::format("PID {} (graced) is graced's already", server.pid());
          return std::string(obstacle(by_pid) == line && by_address.nothing == line ? "refused" : "taken");
        }) == "refused");
}

TEST_CASE("a server of another user is not looked into without the right") {
  if (!as_root("to become two users")) return;
  const OwnNetwork own;
  const RunningForeign server({.user = 65534});
  CHECK(in_child([&] {
          if (::setresuid(65533, 65533, 65533) != 0) return std::string("setresuid");
          return obstacle(look_at(server)).substr(0, (who(server) + " cannot be looked into").size());
        }) == who(server) + " cannot be looked into");
  CHECK(in_child([&] {
          if (::setresuid(65533, 65533, 65533) != 0) return std::string("setresuid");
          const std::string target = fmt::format("tcp:{}", server.port());
          return obstacle(look_at(target));
        }).starts_with(fmt::format("somebody listens on tcp:{}, and graced may not see who: ", server.port())));
}
