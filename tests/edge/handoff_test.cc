// Addresses that workers bind, from one generation to the next, on the real kernel.
#include <doctest/doctest.h>
#include <poll.h>

#include "handoff_story.h"
#include "linux/sockets/listen_socket.h"
#include "opening.h"

namespace graced {
namespace {

constexpr GenerationId first{1};
constexpr WorkerId worker_1{1};

TEST_CASE("an address that an earlier graced had kept can be bound after the first generation serves") {
  HandoffStory story;
  story.handoff().steer_by(probe_steering());
  const Served early{SOCK_STREAM, v4(free_port())};
  const Served late{SOCK_STREAM, v4(free_port())};
  std::vector<Fd> kept;
  for (const Served& there : {early, late}) {
    Fd& fd = kept.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    REQUIRE(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    REQUIRE(::bind(fd.get(), there.where.get(), there.where.length) == 0);
    REQUIRE(::listen(fd.get(), 16) == 0);
  }
  story.handoff().restore(std::move(kept));

  auto& worker = story.start(worker_1, first, named_server("1", {early, late}));
  CHECK(story.goes_and_says(worker) == "ok");
  story.handoff().switch_to(first);
  CHECK(NamedClient(early).told() == "1");
  CHECK(NamedClient(late).told() == "ECONNREFUSED");  // nobody has come for it

  // What graced opens now may get the numbers of what it has closed.
  const std::vector<Fd> others = [] {
    std::vector<Fd> opened;
    for (int i = 0; i < 8; ++i) opened.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return opened;
  }();
  CHECK(story.goes_and_says(worker) == "ok");
  CHECK(NamedClient(late).told() == "1");
  CHECK(story.goes_and_says(worker) == "ok");  // closes the first one, and binds it again
  CHECK(NamedClient(early).told() == "1");
}

TEST_CASE("what a worker asks is heard before one judges by what it has, though its turn has not come") {
  HandoffStory story;
  const Served there{SOCK_STREAM, v4(free_port())};
  auto& worker = story.start(worker_1, first, named_server("1", {there}));
  CHECK_FALSE(story.handoff().catch_up(worker_1));  // it has asked nothing
  worker.go();
  bool changed = false;
  while (!story.handoff().listens(worker_1)) {
    pollfd asks{.fd = story.notifications(worker_1), .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&asks, 1, 60'000) == 1);
    changed = story.handoff().catch_up(worker_1) || changed;
  }
  CHECK(changed);
  CHECK_FALSE(story.handoff().catch_up(worker_1));
  CHECK(story.hears(worker) == "ok");
}

}  // namespace
}  // namespace graced
