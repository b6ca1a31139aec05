// What happens to an instance, as the daemon tells it, and what the history makes of it.
#include "daemon/history_keeper.h"

#include <doctest/doctest.h>

#include <utility>

using namespace graced;

namespace {

struct Story {
  HistoryKeeper keeper;
  Status status{};

  Story() {
    keeper.began(GenerationId{1}, status);
    keeper.spawns(GenerationId{1});
    serves(1);
    done(Phase::serving);
  }

  void serves(std::uint64_t generation) {
    status.serving = GenerationId{generation};
    status.phase = Phase::serving;
    keeper.serves(GenerationId{generation}, status);
  }
  void done(Phase phase) {
    status.phase = phase;
    keeper.handled(status);
  }
  void crashes(std::uint64_t worker, Exit exit, std::vector<std::string> lines = {}) {
    status.last_exit = ExitStatus{.worker = WorkerId{worker},
                                  .generation = *status.serving,
                                  .slot = 1,
                                  .exit = std::move(exit),
                                  .gone = true};
    const Departed departed{77, 2s, std::move(lines)};
    keeper.decided(status, [&](WorkerId) { return &departed; });
  }
  HistoryEntry newest() const { return keeper.last(1).at(0); }
  std::size_t count() const { return keeper.last(1000).size(); }
};

Asker by_signal() {
  return {.how = "signal", .signal = "SIGHUP", .user = 1000, .pid = 5, .program = "bash"};
}

}  // namespace

TEST_CASE("the first start asks for itself") {
  const Story s;
  CHECK(s.count() == 1);
  CHECK(s.newest().event == "serving");
  CHECK(s.newest().by.how == "start");
  CHECK(s.newest().generation == 1);
  CHECK(s.newest().now_serving == 1);
  CHECK(s.newest().ok);
  CHECK(s.newest().stages.prepare.has_value());
  CHECK(s.newest().stages.start.has_value());
  CHECK_FALSE(s.newest().stages.check.has_value());
}

TEST_CASE("the stages of a reload come to what it took") {
  Story s;
  s.keeper.asks(by_signal());
  s.keeper.reload_asked();
  s.keeper.began(GenerationId{2}, s.status);
  s.keeper.check_began(GenerationId{2});
  s.keeper.spawns(GenerationId{2});
  s.keeper.probed(GenerationId{2});
  s.keeper.probed(GenerationId{2});  // again
  s.keeper.shared(GenerationId{2});
  s.keeper.shared(GenerationId{2});
  s.serves(2);
  s.done(Phase::serving);
  const HistoryEntry e = s.newest();
  CHECK(e.event == "reloaded");
  CHECK(e.by.program == "bash");
  REQUIRE(e.took);
  CHECK(*e.stages.prepare + *e.stages.check + *e.stages.start + *e.stages.probe + *e.stages.canary == *e.took);
}

TEST_CASE("a reload that fails in its check has no later stage") {
  Story s;
  s.keeper.began(GenerationId{2}, s.status);
  s.keeper.check_began(GenerationId{2});
  s.keeper.failed(GenerationId{2}, "check: exited with status 1\nno", s.status);
  const HistoryEntry e = s.newest();
  CHECK(e.event == "reload-failed");
  CHECK_FALSE(e.ok);
  CHECK(e.generation == 2);
  CHECK(e.now_serving == 1);
  CHECK(e.why == "check: exited with status 1\nno");
  CHECK(e.by.how == "graced");
  CHECK(*e.stages.prepare + *e.stages.check == *e.took);
  CHECK_FALSE(e.stages.start.has_value());
}

TEST_CASE("a reload that waits for another one has its own asker, the first of them") {
  Story s;
  s.keeper.asks(by_signal());
  s.keeper.reload_asked();
  s.keeper.began(GenerationId{2}, s.status);
  s.keeper.asks({.how = "control", .user = 0, .pid = 8});
  s.keeper.reload_asked();
  s.keeper.asks(by_signal());
  s.keeper.reload_asked();
  s.serves(2);
  s.done(Phase::serving);
  CHECK(s.newest().by.how == "signal");
  s.keeper.began(GenerationId{3}, s.status);
  s.serves(3);
  CHECK(s.newest().by.how == "control");
  s.keeper.began(GenerationId{4}, s.status);
  s.serves(4);
  CHECK(s.newest().by.how == "graced");
}

TEST_CASE("a crash is told once, with its last words, and so is that somebody serves again") {
  Story s;
  s.crashes(7, {"exited with status 3 after 2s", 3, 0}, {"panic", "at 7"});
  s.done(Phase::down);
  s.keeper.decided(s.status, [](WorkerId) { return nullptr; });
  REQUIRE(s.count() == 2);
  CHECK(s.newest().event == "crashed");
  CHECK(s.newest().why == "exited with status 3 after 2s\npanic\nat 7");
  CHECK(s.newest().status == 3);
  CHECK(s.newest().signal == "");
  CHECK(s.newest().slot == 1U);
  CHECK(s.newest().pid == 77);
  CHECK(s.newest().by.how == "");

  s.done(Phase::serving);
  REQUIRE(s.count() == 3);
  CHECK(s.newest().event == "serving");
  CHECK(s.newest().by.how == "crash");
  s.crashes(8, {"killed by SIGSEGV", 139, 11});
  CHECK(s.newest().signal == "SIGSEGV");
  CHECK_FALSE(s.newest().status.has_value());
}

TEST_CASE("a reload that ends a time without anybody is told once") {
  Story s;
  s.crashes(7, {"exited with status 3", 3, 0});
  s.done(Phase::down);
  s.keeper.began(GenerationId{2}, s.status);
  s.serves(2);
  s.done(Phase::serving);
  CHECK(s.count() == 3);
  CHECK(s.newest().event == "reloaded");
}

TEST_CASE("a hammer is one entry for a generation, and says who wanted it") {
  Story s;
  s.keeper.asks({.how = "control", .user = 0});
  s.keeper.asked();
  s.keeper.killed(GenerationId{1}, 1, s.status);
  s.keeper.killed(GenerationId{1}, 1, s.status);
  s.keeper.killed(GenerationId{2}, 1, s.status);
  s.done(Phase::serving);
  REQUIRE(s.count() == 3);
  CHECK(s.keeper.last(2).at(0).killed == 2);
  CHECK(s.keeper.last(2).at(0).by.how == "control");
  CHECK(s.newest().killed == 1);

  s.keeper.killed(GenerationId{2}, 1, s.status);
  s.done(Phase::serving);
  REQUIRE(s.count() == 4);
  CHECK(s.newest().by.how == "graced");
  CHECK(s.newest().why == "not gone in time");
}

TEST_CASE("a stop as asked has no reason, and giving up has one") {
  Story s;
  SUBCASE("asked") {
    s.keeper.asks(by_signal());
    s.keeper.asked();
    s.status.stops_because = "stopped as asked";
    s.done(Phase::stopping);
    CHECK(s.newest().event == "stopping");
    CHECK(s.newest().by.signal == "SIGHUP");
    CHECK(s.newest().why == "");
    CHECK(s.newest().ok);
  }
  SUBCASE("gives up") {
    s.status.stops_because = "the last worker exited with status 3";
    s.status.exit_status = 3;
    s.done(Phase::stopping);
    CHECK(s.newest().event == "gave-up");
    CHECK(s.newest().by.how == "graced");
    CHECK(s.newest().why == "the last worker exited with status 3");
    CHECK_FALSE(s.newest().ok);
  }
  s.done(Phase::finished);
  CHECK(s.count() == 2);
}

TEST_CASE("a start that fails is told as giving up, with its last words") {
  HistoryKeeper keeper;
  Status status;
  keeper.began(GenerationId{1}, status);
  keeper.spawns(GenerationId{1});
  keeper.failed(GenerationId{1}, "exited with status 1\nno config", status);
  status.phase = Phase::stopping;
  status.exit_status = 1;
  status.stops_because = "exited with status 1";
  keeper.handled(status);
  REQUIRE(keeper.last(9).size() == 1);
  const HistoryEntry e = keeper.last(1).at(0);
  CHECK(e.event == "gave-up");
  CHECK(e.generation == 1);
  CHECK(e.now_serving == 0);
  CHECK(e.why == "exited with status 1\nno config");
  CHECK(e.stages.start.has_value());
}
