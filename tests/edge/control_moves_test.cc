// Clients of a graced that goes on as another image: their connections end, and nothing else does.
#include <doctest/doctest.h>

#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "control_story.h"
#include "linux/control/control_client.h"
#include "linux/control/control_follower.h"
#include "linux/control/control_round.h"
#include "linux/control/control_subscription.h"
#include "linux/control/moved_requests.h"
#include "linux/event/loop.h"
#include "temp_directory.h"
#include "wait_until.h"

using namespace graced;

namespace {

// What one asks in a thread of its own.
template <class Ask>
std::future<ControlReply> asking(Ask ask) {
  return std::async(std::launch::async, std::move(ask));
}

}  // namespace

TEST_CASE("whoever waits for a reload waits on, and is told what came of it") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  auto reply = asking([&] { return ControlClient{temp / "control"}.reload(infinity); });
  REQUIRE(graced.hears() == "reload 1");
  graced.does("moves");
  SUBCASE("that it went well") {
    graced.does("answer 1 ok 2");
    const ControlReply told = reply.get();
    CHECK(told.outcome == ControlOutcome::ok);
    CHECK(told.generation == 2);
  }
  SUBCASE("that it failed, also after another move") {
    graced.does("last yours ok");  // should it not have been asked again by then
    graced.does("moves");
    graced.does("answer 1 failed exited with status 1\\nbye");
    const ControlReply told = reply.get();
    CHECK(told.outcome == ControlOutcome::failed);
    CHECK(told.why == "exited with status 1\nbye");
  }
}

TEST_CASE("whoever waits until a reload has settled waits on as well, and sees what happens") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  std::vector<std::string> seen;
  auto reply = asking([&] {
    ControlClient client{temp / "control"};
    client.watch([&](const InstanceEvent* event) {
      if (event != nullptr) seen.emplace_back(word_of(*event));
    });
    return client.reload_until_settled(1min);
  });
  REQUIRE(graced.hears() == "reload until settled 1");
  graced.does("moves");
  graced.does("answer 1 ok 2");
  CHECK(reply.get().generation == 2);
}

TEST_CASE("of several that wait for reloads each is told of its own") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  auto first = asking([&] { return ControlClient{temp / "control"}.reload(infinity); });
  REQUIRE(graced.hears() == "reload 1");
  auto second = asking([&] { return ControlClient{temp / "control"}.reload(infinity); });
  REQUIRE(graced.hears() == "reload 2");
  graced.does("moves");
  graced.does("answer 2 failed no");
  graced.does("answer 1 ok 5");
  CHECK(first.get().generation == 5);
  CHECK(second.get().why == "no");
}

TEST_CASE("a reload of several instances goes on where one of them moves") {
  TempDirectory temp;
  ControlStory one{"one", temp / "one"};
  ControlStory two{"two", temp / "two"};
  std::vector<std::uint64_t> generations(2);
  std::thread asker([&] {
    reload_each({temp / "one", temp / "two"}, 2, infinity, [&](std::size_t i, const ControlAnswer& answer) {
      generations[i] = answer.reply.generation;
      return true;
    });
  });
  REQUIRE(one.hears() == "reload 1");
  REQUIRE(two.hears() == "reload 1");
  one.does("moves");
  two.does("answer 1 ok 3");
  one.does("answer 1 ok 2");
  asker.join();
  CHECK(generations == std::vector<std::uint64_t>{2, 3});
}

TEST_CASE("an open connection can be asked again after a move, whatever it asks") {
  TempDirectory temp;
  InstanceReport report;
  report.name = "shop";
  ControlStory graced{"shop", temp / "control", report};
  ControlClient client{temp / "control"};
  CHECK(client.name() == "shop");
  graced.does("moves");
  CHECK(client.name() == "shop");
  graced.does("moves");
  CHECK(client.report(report).outcome == ControlOutcome::ok);
  graced.does("moves");
  std::vector<InstanceEvent> history;
  CHECK(client.history(1, history).outcome == ControlOutcome::ok);
}

TEST_CASE("what changes something is asked again only where graced has gone on as another image") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  ControlClient client{temp / "control"};
  REQUIRE(client.name(1s) == std::nullopt);  // it has none, and is connected
  SUBCASE("since it was asked") {
    graced.does("last mine ok");
    graced.does("moves");
    auto reply = asking([&] { return client.hammer(); });
    CHECK(graced.hears() == "hammer");
    CHECK(reply.get().killed == 3);
  }
  SUBCASE("and not where it has hung up for another reason") {
    graced.does("moves");  // of which it does not tell
    CHECK(client.hammer().outcome == ControlOutcome::gone);
  }
}

TEST_CASE("the asker of an upgrade finds what came of it by its token") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  auto reply = asking([&] {
    return ControlClient{temp / "control"}.upgrade({"/new", false, "mine"}, infinity);
  });
  REQUIRE(graced.hears() == "upgrade 1 /new do mine");
  SUBCASE("the other one has taken over") {
    graced.does("last mine ok");
    graced.does("moves");
    const ControlReply told = reply.get();
    CHECK(told.outcome == ControlOutcome::ok);
    CHECK(told.version_from == "0.1.0");
    CHECK(told.version_to == "0.2.0");
  }
  SUBCASE("it could not") {
    graced.does("last mine failed /new: it was hit by SIGSEGV");
    graced.does("moves");
    const ControlReply told = reply.get();
    CHECK(told.outcome == ControlOutcome::failed);
    CHECK(told.why == "/new: it was hit by SIGSEGV");
  }
  SUBCASE("it was refused at once") {
    graced.does("upgraded 1 failed graced is stopping");
    CHECK(reply.get().why == "graced is stopping");
  }
  SUBCASE("it was that of somebody else, and is asked for again") {
    graced.does("last yours ok");
    graced.does("moves");
    REQUIRE(graced.hears() == "upgrade 2 /new do mine");
    graced.does("upgraded 2 failed no");
    CHECK(reply.get().why == "no");
  }
  SUBCASE("graced has ended") {
    graced.kill();
    CHECK(reply.get().outcome == ControlOutcome::gone);
  }
}

TEST_CASE("a trial is answered with both versions") {
  TempDirectory temp;
  ControlStory graced{"shop", temp / "control"};
  auto reply = asking([&] { return ControlClient{temp / "control"}.upgrade({"", true, "mine"}, 1min); });
  REQUIRE(graced.hears() == "upgrade 1 - check mine");
  graced.does("upgraded 1 ok 0.3.0");
  const ControlReply told = reply.get();
  CHECK(told.version_from == "0.1.0");
  CHECK(told.version_to == "0.3.0");
}

TEST_CASE("who follows is told to come again, and misses nothing that is remembered") {
  TempDirectory temp;
  InstanceReport report;
  report.name = "shop";
  ControlStory graced{"shop", temp / "control", report};
  ControlSubscription subscription{temp / "control", Instant{}};
  const auto becomes = [&](ControlSubscription::State state) {
    wait_until([&] {
      subscription.advance();
      return subscription.state() == state;
    });
  };
  becomes(ControlSubscription::State::following);
  graced.does("moves");
  becomes(ControlSubscription::State::moved);
}

namespace {

// Who follows, and reads only when it is asked what it has been told since the last time.
class Follower {
 public:
  explicit Follower(const std::string& control) : follower_({}, {.control = control}, monotonic_now()) {}

  // The words, up to this one.
  std::vector<std::string> words_until(const std::string& last) {
    std::vector<std::string> words;
    wait_until([&] {
      for (const InstanceEvent& e : follower_.wait(monotonic_now() + 10ms, nullptr))
        words.emplace_back(word_of(e));
      return !words.empty() && words.back() == last;
    });
    return words;
  }

 private:
  ControlFollower follower_;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "a follower that does not read while graced moves is told later what happened since, or that some is "
    "missing") {
  TempDirectory temp;
  InstanceReport report;
  report.name = "shop";
  ControlStory graced{"shop", temp / "control", report};
  graced.does("happened gone 1");  // before it follows, and so not missing
  Follower follower{temp / "control"};
  CHECK(follower.words_until("instance-found") == Words{"instance-found"});
  graced.does("happened preparing 2");
  graced.does("moves");
  graced.does("another");
  SUBCASE("all of it, remembered or not, in its order") {
    for (const char* word : {"starting 2", "reloaded 2", "draining 1"})
      graced.does(std::string("happened ") + word);
    CHECK(follower.words_until("draining") == Words{"preparing", "starting", "reloaded", "draining"});
    graced.does("happened gone 1");
    CHECK(follower.words_until("gone") == Words{"gone"});
  }
  SUBCASE("nothing has happened, and it goes on") {
    CHECK(follower.words_until("preparing") == Words{"preparing"});
    graced.does("moves");
    graced.does("another");
    graced.does("happened draining 1");
    CHECK(follower.words_until("draining") == Words{"draining"});
  }
  SUBCASE("of what passed before yet another image there is nothing any more") {
    graced.does("happened starting 2");
    graced.does("moves");
    graced.does("another");
    graced.does("happened reloaded 2");
    CHECK(follower.words_until("reloaded") ==
          Words{"preparing", "events-missed", "instance-found", "reloaded"});
  }
  SUBCASE("more than is kept") {
    for (int i = 0; i < 65; ++i) graced.does("happened starting 2");
    graced.does("happened reloaded 2");
    const Words words = follower.words_until("reloaded");
    CHECK(words.size() == 3 + 64 + 1);
    CHECK(Words(words.begin(), words.begin() + 4) ==
          Words{"preparing", "events-missed", "instance-found", "starting"});
  }
  SUBCASE("it is told once") {
    graced.does("happened starting 2");
    graced.does("moves");
    graced.does("another");
    CHECK(follower.words_until("instance-found") == Words{"preparing", "events-missed", "instance-found"});
    graced.does("moves");
    graced.does("another");
    graced.does("happened ready 2");
    CHECK(follower.words_until("ready") == Words{"ready"});
  }
}

TEST_CASE("what came of a reload waits for its asker, for the last ones that there were") {
  MovedRequests moved;
  for (std::uint64_t i = 1; i <= 1025; ++i) moved.add(RequestId{i});
  CHECK_FALSE(moved.answer(RequestId{1}, {true, 2, ""}));
  CHECK_FALSE(moved.take(RequestId{1}));
  CHECK(moved.answer(RequestId{2}, {true, 7, ""}));
  const auto known = moved.take(RequestId{2});
  REQUIRE(known);
  REQUIRE(*known);
  CHECK((*known)->generation == 7);
  CHECK_FALSE(moved.take(RequestId{2}));
  const auto later = moved.take(RequestId{3});
  REQUIRE(later);
  CHECK_FALSE(later->has_value());
}
