#include "linux/steering/steering_sets.h"

#include <doctest/doctest.h>

#include <vector>

#include "as_root.h"
#include "linux/sockets/accept_queue.h"
#include "linux/sockets/listener.h"
#include "loopback.h"
#include "taken_over.h"
#include "wait_until.h"

using namespace graced;

namespace {

unsigned queue(const Listener& listener) {
  return tcp_accept_queue(listener.fd()).value_or(0);
}

// As graced opens it: alone on its port, and nobody else may be there.
std::shared_ptr<Listener> opened() {
  return open_listeners(parse_listen_spec("127.0.0.1:0")).front();
}

std::vector<Fd> connected(const Listener& listener, int times) {
  sockaddr_in where{};
  socklen_t length = sizeof where;
  REQUIRE(::getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&where), &length) == 0);
  std::vector<Fd> clients;
  for (int i = 0; i < times; ++i) {
    clients.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(clients.back().get(), reinterpret_cast<sockaddr*>(&where), length) == 0);
  }
  return clients;
}

bool refused(const Listener& listener) {
  sockaddr_in where{};
  socklen_t length = sizeof where;
  REQUIRE(::getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&where), &length) == 0);
  const Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(client.get(), reinterpret_cast<sockaddr*>(&where), length) < 0 && errno == ECONNREFUSED;
}

}  // namespace

TEST_CASE("new connections go to the chosen set, of all addresses at once") {
  if (!as_root("to steer by eBPF")) return;
  SteeringSets sets;
  std::vector<std::shared_ptr<Listener>> first, second;
  for (unsigned address = 0; address < 3; ++address) {
    first.push_back(opened());
    sets.steer(address, first.back()->fd());
    second.push_back(open_again(*first.back(), first.back()->spec()));
    sets.put(address, 1, second.back()->fd());
  }
  std::vector<Fd> clients;
  const auto everywhere = [&] {
    for (const auto& l : first) {
      for (Fd& c : connected(*l, 20)) clients.push_back(std::move(c));
    }
  };
  everywhere();
  for (const auto& l : first) CHECK(queue(*l) == 20);
  for (const auto& l : second) CHECK(queue(*l) == 0);
  sets.choose(1);
  everywhere();
  for (const auto& l : first) CHECK(queue(*l) == 20);
  for (const auto& l : second) CHECK(queue(*l) == 20);
  sets.choose(0);
  everywhere();
  for (const auto& l : first) CHECK(queue(*l) == 40);
}

TEST_CASE("another image of graced chooses among the sets that it has taken over, and adds to them") {
  if (!as_root("to steer by eBPF")) return;
  SteeringSets sets;
  const auto first = opened();
  sets.steer(4, first->fd());
  const auto second = open_again(*first, first->spec());
  sets.put(4, 1, second->fd());
  sets.choose(1);
  take_over(sets);
  const auto clients = connected(*first, 10);
  CHECK(queue(*second) == 10);
  const auto third = open_again(*first, first->spec());
  sets.put(4, 2, third->fd());
  sets.choose(2);
  take_over(sets);
  const auto more = connected(*first, 10);
  CHECK(queue(*third) == 10);
  CHECK(queue(*second) == 10);
  CHECK(queue(*first) == 0);
}

TEST_CASE("what waits at a socket that is closed goes to the chosen one") {
  if (!as_root("to steer by eBPF")) return;
  SteeringSets sets;
  const auto old = opened();
  sets.steer(1, old->fd());
  auto next = open_again(*old, old->spec());
  sets.put(1, 1, next->fd());
  const auto clients = connected(*old, 10);
  sets.choose(1);
  ::shutdown(old->fd(), SHUT_RD);
  CHECK(queue(*next) == 10);
}

TEST_CASE("clients who come while an address begins to be steered are not lost") {
  if (!as_root("to steer by eBPF")) return;
  const auto old = opened();
  SteeringSets sets;
  const auto before = connected(*old, 10);
  sets.steer(1, old->fd());
  const auto after = connected(*old, 10);
  CHECK(queue(*old) == 20);
}

TEST_CASE("an address of which the chosen set has no socket refuses its clients") {
  if (!as_root("to steer by eBPF")) return;
  SteeringSets sets;
  const auto old = opened();
  sets.steer(1, old->fd());
  sets.choose(3);
  CHECK(refused(*old));
  sets.choose(0);
  CHECK(connected(*old, 1).size() == 1);
}

TEST_CASE("a socket that was shut down and listens again is chosen again once it is put back") {
  if (!as_root("to steer by eBPF")) return;
  SteeringSets sets;
  const auto old = opened();
  sets.steer(1, old->fd());
  ::shutdown(old->fd(), SHUT_RD);
  REQUIRE(::listen(old->fd(), 10) == 0);
  sets.put(1, 0, old->fd());
  CHECK(connected(*old, 5).size() == 5);
  CHECK(queue(*old) == 5);
}
