// Another image of graced goes on with the addresses of all generations, at any moment.
#include <doctest/doctest.h>
#include <poll.h>

#include <filesystem>
#include <string>

#include "as_root.h"
#include "handoff_story.h"
#include "linux/base/file_id.h"
#include "opening.h"
#include "temp_directory.h"

namespace graced {
namespace {

constexpr GenerationId first{1};
constexpr GenerationId second{2};
constexpr GenerationId third{3};
constexpr WorkerId worker_1{1};
constexpr WorkerId worker_2{2};
constexpr WorkerId worker_3{3};

std::vector<SteeringProbe> probes() {
  SteeringProbe probe = probe_steering();
  std::vector<SteeringProbe> all{probe};
  // As on a machine that has less.
  probe.migrates = false;
  probe.method = SteeringMethod::cbpf;
  all.push_back(probe);
  return all;
}

// Whose first address is bound.
FilteredWorker& bound(HandoffStory& story, WorkerId id, GenerationId generation,
                      const FilteredWorker::Body& body) {
  FilteredWorker& worker = story.start(id, generation, body);
  CHECK(story.goes_and_says(worker) == "ok");
  return worker;
}

void finish(HandoffStory& story, FilteredWorker& worker, WorkerId id) {
  worker.kill();
  story.handoff().gone(id, Handoff::Follows::none);
}

TEST_CASE("a TCP address goes on from generation to generation after each taking over") {
  for (const SteeringProbe& probe : probes()) {
    HandoffStory story;
    story.handoff().steer_by(probe);
    const Served there{SOCK_STREAM, v4(free_port())};
    auto& one = story.start(worker_1, first, named_server("1", {there}));
    story.another_image();
    CHECK(story.goes_and_says(one) == "ok");
    story.another_image();
    story.handoff().switch_to(first);
    story.another_image();
    CHECK(NamedClient(there).told() == "1");

    auto& two = story.start(worker_2, second, named_server("2", {there}));
    CHECK(story.handoff().missing(worker_2) != "");
    CHECK(story.goes_and_says(two) == "ok");
    story.another_image();
    CHECK(story.handoff().missing(worker_2) == "");
    CHECK(NamedClient(there).told() == "1");  // hidden, or not chosen, until it serves
    story.handoff().switch_to(second);
    story.another_image();
    CHECK(NamedClient(there).told() == "2");
    CHECK(NamedClient(there).told() == "2");

    story.handoff().retire(worker_1, std::nullopt, false);
    story.until([&] { return story.was_idle(worker_1); });
    finish(story, one, worker_1);
    story.another_image();
    CHECK(NamedClient(there).told() == "2");
    finish(story, two, worker_2);
    CHECK(NamedClient(there).told() == "ECONNREFUSED");
    CHECK(story.notes.empty());
  }
}

TEST_CASE("a unix path is the serving generation's after taking over, and goes with the last one") {
  const TempDirectory directory;
  const std::string path = directory / "a.sock";
  const Served there{SOCK_STREAM, at_path(path)};
  HandoffStory story;
  auto& one = bound(story, worker_1, first, named_server("1", {there}));
  story.handoff().switch_to(first);
  const FileId file = file_id(path.c_str());
  story.another_image();
  CHECK(file_id(path.c_str()) == file);
  CHECK(NamedClient(there).told() == "1");

  auto& two = bound(story, worker_2, second, named_server("2", {there}));
  story.another_image();  // the file of the candidate is beside the path
  CHECK(NamedClient(there).told() == "1");
  story.handoff().switch_to(second);
  story.another_image();
  CHECK(NamedClient(there).told() == "2");
  finish(story, one, worker_1);
  CHECK(NamedClient(there).told() == "2");
  story.another_image();
  finish(story, two, worker_2);
  CHECK(directory.empty());
}

TEST_CASE("a generation that stands by can be switched back to after taking over") {
  const TempDirectory directory;
  const Served path{SOCK_STREAM, at_path(directory / "a.sock")};
  const Served port{SOCK_STREAM, v4(free_port())};
  HandoffStory story;
  story.handoff().steer_by(probe_steering());
  auto& one = story.start(worker_1, first, named_server("1", {path, port}));
  CHECK(story.goes_and_says(one) == "ok");
  CHECK(story.goes_and_says(one) == "ok");
  story.handoff().switch_to(first);
  auto& two = story.start(worker_2, second, named_server("2", {path, port}));
  CHECK(story.goes_and_says(two) == "ok");
  CHECK(story.goes_and_says(two) == "ok");
  story.handoff().switch_to(second, first);
  story.another_image();
  for (const Served& there : {path, port}) CHECK(NamedClient(there).told() == "2");
  story.handoff().switch_to(first, second);
  story.another_image();
  for (const Served& there : {path, port}) CHECK(NamedClient(there).told() == "1");
}

TEST_CASE("old generations keep their clients until these leave, through several takings over") {
  for (const SteeringProbe& probe : probes()) {
    HandoffStory story;
    story.handoff().steer_by(probe);
    const Served there{SOCK_STREAM, v4(free_port())};
    bound(story, worker_1, first, named_server("1", {there}));
    story.handoff().switch_to(first);
    auto of_one = std::make_unique<NamedClient>(there);
    CHECK(of_one->told() == "1");

    bound(story, worker_2, second, named_server("2", {there}));
    story.handoff().switch_to(second);
    story.handoff().retire(worker_1, std::nullopt, false);
    auto of_two = std::make_unique<NamedClient>(there);
    CHECK(of_two->told() == "2");
    story.another_image();

    bound(story, worker_3, third, named_server("3", {there}));
    story.handoff().switch_to(third);
    story.handoff().retire(worker_2, std::nullopt, false);
    story.another_image();
    const auto seen = [&](WorkerId worker) {
      const Retirement* retirement = story.handoff().retirement(worker);
      return retirement && retirement->has_looked() ? retirement->waits_for() : "";
    };
    story.until([&] { return !seen(worker_1).empty() && !seen(worker_2).empty(); });
    CHECK(seen(worker_1).starts_with("1 connection"));
    CHECK(seen(worker_2).starts_with("1 connection"));
    CHECK(story.idle.empty());

    of_two.reset();
    story.until([&] { return story.was_idle(worker_2); });
    CHECK_FALSE(story.was_idle(worker_1));
    story.another_image();
    of_one.reset();
    story.until([&] { return story.was_idle(worker_1); });
    CHECK(NamedClient(there).told() == "3");
  }
}

TEST_CASE("an old worker's idle connections are closed when it was said before taking over") {
  HandoffStory story;
  story.handoff().steer_by(probe_steering());
  const Served there{SOCK_STREAM, v4(free_port())};
  bound(story, worker_1, first, named_server("1", {there}));
  story.handoff().switch_to(first);
  NamedClient client(there);
  CHECK(client.told() == "1");
  bound(story, worker_2, second, named_server("2", {there}));
  story.handoff().switch_to(second);
  story.handoff().retire(worker_1, std::nullopt, false);
  story.handoff().close_connections(worker_1, {.drain_idle = 50ms});
  story.another_image();
  story.until([&] { return story.was_idle(worker_1); });
  CHECK(client.told() == "nobody");  // the worker has closed it
}

TEST_CASE("what waits for a worker's replacement is the replacement's after taking over") {
  for (const SteeringProbe& probe : probes()) {
    HandoffStory story;
    story.handoff().steer_by(probe);
    const Served there{SOCK_STREAM, v4(free_port())};
    auto& one = bound(story, worker_1, first, named_server("1", {there}));
    story.handoff().switch_to(first);
    one.kill();
    story.handoff().gone(worker_1, Handoff::Follows::replacement);
    NamedClient early(there);
    story.another_image();
    NamedClient waiting(there);
    auto& two = story.start(worker_2, first, named_server("2", {there}));
    story.another_image();  // the orphan's socket may be promised to it
    CHECK(story.goes_and_says(two) == "ok");
    CHECK(early.told() == "2");
    CHECK(waiting.told() == "2");
    story.another_image();
    CHECK(NamedClient(there).told() == "2");
  }
}

TEST_CASE("a bind that waits while graced is taken over is answered by the next image") {
  HandoffStory story;
  story.handoff().steer_by(probe_steering());
  const Served there{SOCK_STREAM, v4(free_port())};
  auto& one = story.start(worker_1, first, named_server("1", {there, there}));
  one.go();
  pollfd asks{story.notifications(worker_1), POLLIN, 0};
  REQUIRE(::poll(&asks, 1, 60'000) == 1);
  REQUIRE((asks.revents & POLLIN) != 0);
  story.another_image();
  CHECK(story.hears(one) == "ok");
  story.handoff().switch_to(first);
  CHECK(NamedClient(there).told() == "1");
}

TEST_CASE("a socket of --listen is put in place of a worker's own after taking over") {
  HandoffStory story;
  story.handoff().steer_by(probe_steering());
  const Served there{SOCK_STREAM, v4(free_port())};
  const auto port = ntohs(reinterpret_cast<const sockaddr_in*>(there.where.get())->sin_port);
  story.listeners = {open_one("127.0.0.1:" + std::to_string(port))};
  share_address(*story.listeners.front());
  story.handoff().opened(first, story.listeners);
  auto& one = story.start(worker_1, first, named_server("1", {there}));
  story.another_image();
  CHECK(story.goes_and_says(one) == "ok");
  REQUIRE(story.handoff().sockets_of(worker_1).size() == 1);
  CHECK(story.handoff().sockets_of(worker_1).front().inode == story.listeners.front()->inode());
  story.handoff().switch_to(first);
  story.another_image();
  CHECK(story.handoff().opened_sockets(first) == std::vector<int>{story.listeners.front()->fd()});
  CHECK(NamedClient(there).told() == "1");
}

TEST_CASE("a UDP flow stays with its generation, and a new one goes to the next, after taking over") {
  if (!as_root("to steer by eBPF")) return;
  HandoffStory story;
  story.handoff().steer_by(probe_steering());
  story.handoff().datagrams().steer_by(probe_steering(), {.flows = 100, .flow_timeout = 60s});
  const Served there{SOCK_DGRAM, v4(free_port())};
  auto& one = bound(story, worker_1, first, named_server("1", {there}));
  story.another_image();
  story.handoff().is_ready(worker_1);
  story.handoff().switch_to(first);
  NamedClient old(there);
  CHECK(old.asks() == "1");

  bound(story, worker_2, second, named_server("2", {there}));
  story.another_image();
  CHECK(NamedClient(there).asks() == "1");
  story.handoff().switch_to(second);
  story.handoff().retire(worker_1, std::nullopt, false);
  story.another_image();
  CHECK(old.asks() == "1");
  CHECK(NamedClient(there).asks() == "2");
  CHECK(story.idle.empty());
  const auto traffic = story.handoff().datagrams().traffic();
  REQUIRE(traffic.contains(first));
  CHECK(traffic.at(first).datagrams == 3);
  CHECK(traffic.at(second).datagrams == 1);

  CHECK(story.handoff().datagrams().let_go(first));
  story.another_image();
  story.until([&] { return !story.emptied.empty(); });
  CHECK(old.asks() == "2");
  finish(story, one, worker_1);
  story.another_image();
  CHECK(old.asks() == "2");
}

TEST_CASE("what a candidate is given beside the serving generation it has after taking over, and can lose") {
  if (!as_root("to steer by eBPF")) return;
  HandoffStory story;
  story.handoff().steer_by(probe_steering());
  const Served there{SOCK_STREAM, v4(free_port())};
  bound(story, worker_1, first, named_server("1", {there}));
  story.handoff().switch_to(first);
  bound(story, worker_2, second, named_server("2", {there}));
  CHECK(story.handoff().share(second, 1000));
  story.another_image();
  CHECK(NamedClient(there).told() == "2");
  CHECK(story.handoff().share_counts()->shared == 1);
  story.another_image();
  CHECK(story.handoff().share(second, 0));
  CHECK(NamedClient(there).told() == "1");
}

}  // namespace
}  // namespace graced
