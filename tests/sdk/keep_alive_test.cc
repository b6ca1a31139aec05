// Connections that a client may use again when the worker has to leave.
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <cerrno>
#include <thread>

#include "graced/child.hpp"
#include "supervised.h"

namespace child = graced::child;
using namespace std::chrono_literals;

namespace {

constexpr auto generous = std::chrono::milliseconds(generous_ms);

struct Connection {
  Connection() {
    const child::Listener listener = child::listen("x", "127.0.0.1:0");
    sockaddr_in in{};
    socklen_t length = sizeof in;
    ::getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&in), &length);
    REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) == 0);
    server = ::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(server >= 0);
  }
  void asks() const { REQUIRE(::send(client.get(), "GET\n", 4, MSG_NOSIGNAL) == 4); }
  void answers() const { REQUIRE(::send(server, "200\n", 4, MSG_NOSIGNAL) == 4); }

  Descriptor client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int server = -1;  // finish() takes it
};

// What the client reads until the end, "reset" behind it if that was none.
std::string rest(const Descriptor& client) {
  std::string all;
  char part[64];
  for (;;) {
    const ssize_t n = ::recv(client.get(), part, sizeof part, 0);
    if (n == 0) return all;
    if (n < 0) return all + (errno == ECONNRESET ? "reset" : "error");
    all.append(part, static_cast<std::size_t>(n));
  }
}

}  // namespace

TEST_CASE("a request that is there when the worker has to leave is seen, however late it looks") {
  child::DrainToken drain;
  const Connection c;
  CHECK_FALSE(child::next_request(c.server, drain, 0ms, 0ms));
  c.asks();
  drain.request();
  CHECK(child::next_request(c.server, drain, generous, 0ms));
  CHECK(child::next_request(c.server, drain, 0ms, 0ms));
  child::finish(c.server, 0ms);
}

TEST_CASE("who is idle when the worker has to leave may ask once more, and is not waited for longer") {
  child::DrainToken drain;
  const Connection idle;
  const Connection busy;
  bool asked = true;
  bool more = false;
  std::thread first([&] { asked = child::next_request(idle.server, drain, 24h, 1ms); });
  std::thread second([&] { more = child::next_request(busy.server, drain, 24h, generous); });
  drain.request();
  first.join();
  CHECK_FALSE(asked);
  busy.asks();
  second.join();
  CHECK(more);
  child::finish(idle.server, 0ms);
  child::finish(busy.server, 0ms);
}

TEST_CASE("the last answer is the one behind which nothing waits") {
  child::DrainToken drain;
  const Connection c;
  CHECK_FALSE(child::is_last_answer(c.server, drain));
  drain.request();
  c.asks();
  CHECK(readable(c.server));
  CHECK_FALSE(child::is_last_answer(c.server, drain));
  char request[8];
  CHECK(::recv(c.server, request, sizeof request, 0) == 4);
  CHECK(child::is_last_answer(c.server, drain));
  child::finish(c.server, 0ms);
}

TEST_CASE("a client that sends while the worker closes gets its answer and an end, no reset") {
  Connection c;
  c.answers();
  c.asks();  // crosses with the end
  CHECK(readable(c.server));
  std::thread worker([&] { child::finish(c.server, generous); });
  CHECK(rest(c.client) == "200\n");
  c.client.close();
  worker.join();
}

TEST_CASE("an event loop closes as carefully, without waiting") {
  Connection c;
  c.answers();
  CHECK(child::begin_finish(c.server));
  CHECK_FALSE(child::is_finished(c.server));
  c.asks();  // crosses with the end
  CHECK(readable(c.server));
  CHECK_FALSE(child::is_finished(c.server));
  CHECK(rest(c.client) == "200\n");
  c.client.close();
  CHECK(readable(c.server));
  CHECK(child::is_finished(c.server));
  CHECK_FALSE(child::begin_finish(-1));
  CHECK(child::is_finished(-1));
  child::finish(c.server, 0ms);
}

TEST_CASE("a client that never closes is not waited for longer than the limit") {
  const Connection c;
  c.answers();
  child::finish(c.server, 1ms);
  CHECK(::fcntl(c.server, F_GETFD) == -1);
  CHECK(rest(c.client) == "200\n");
}
