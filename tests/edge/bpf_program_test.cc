#include "linux/steering/bpf_program.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>

#include "as_root.h"
#include "line_server.h"
#include "linux/base/fd.h"
#include "loopback.h"
#include "wait_until.h"

using namespace graced;

namespace {

bool readable(const Fd& fd) {
  pollfd p{fd.get(), POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a connection whose data is dropped gets acknowledgements and the end, and the data afterwards") {
  if (!as_root("to attach a filter, on some machines,")) return;
  const auto classic = [](int socket) { attach_data_dropper(socket); };
  const auto loaded_once = [](int socket) { attach_filter(socket, load_data_dropper().get()); };
  for (const std::function<void(int)>& attach :
       {std::function<void(int)>(classic), std::function<void(int)>(loaded_once)}) {
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      CAPTURE(static_cast<int>(family));
      Loopback where(family);
      const Fd listener = where.listen();
      const Fd client = where.connect();
      const Fd worker = accept_from(listener);
      REQUIRE(worker);

      CHECK_FALSE(has_filter(worker.get()));
      attach(worker.get());
      CHECK(has_filter(worker.get()));
      say(client, "ask");  // over the loopback interface it is there, or not, when this returns
      CHECK_FALSE(readable(worker));
      say_for_sure(worker, "answer");
      CHECK(hear(client) == "answer");
      CHECK_FALSE(readable(worker));

      detach_filter(worker.get());
      CHECK_FALSE(has_filter(worker.get()));
      CHECK(hear(worker) == "ask");

      attach(worker.get());
      REQUIRE(::shutdown(client.get(), SHUT_WR) == 0);
      CHECK(wait_until([&] { return readable(worker); }));
      CHECK(hear(worker).empty());
    }
  }
}
