#include "linux/connections.h"

#include <doctest/doctest.h>

#include <vector>

#include "line_server.h"
#include "linux/fd.h"
#include "loopback.h"
#include "wait_until.h"

using namespace graced;

namespace {

std::vector<ConnectionWatch::Socket> sockets(std::initializer_list<const Fd*> fds) {
  std::vector<ConnectionWatch::Socket> all;
  for (const Fd* fd : fds) all.push_back({fd->get()});
  return all;
}

}  // namespace

TEST_CASE("busy and idle connections are counted, in every family") {
  for (const Family family : {Family::ipv4, Family::ipv6, Family::dual}) {
    CAPTURE(static_cast<int>(family));
    Loopback where(family);
    const Fd listener = where.listen();
    const LineServer worker({listener.get()});
    ConnectionWatch watch(worker.pid(), sockets({&listener}), std::nullopt);
    CHECK(watch.look().done());

    const Fd silent = where.connect();
    const Fd asks = where.connect();
    const Fd works = where.connect();
    say(asks, "ask");
    CHECK(hear(asks) == "answer");
    say(works, "work");
    Connections c;
    CHECK(wait_until([&] {
      c = watch.look();
      return c.idle == 2 && c.busy == 1 && c.queued == 0;
    }));
    CHECK(c.idle == 2);
    CHECK(c.busy == 1);
    CHECK(!c.done());
    REQUIRE(c.quiet);
  }
}
