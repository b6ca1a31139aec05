// What happens to an instance, as the daemon tells it, and who is told what.
#include "daemon/instance_events.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

using namespace graced;

namespace {

using Kind = InstanceEvent::Kind;

struct Story {
  std::vector<InstanceEvent> all;
  InstanceEvents events{"shop", [this](const InstanceEvent& e) { all.push_back(e); }};
  Status status{};

  Story() {
    events.began(GenerationId{1}, status);
    events.spawns(GenerationId{1}, status);
    serves(1);
    done(Phase::serving);
  }

  void serves(std::uint64_t generation) {
    status.serving = GenerationId{generation};
    status.phase = Phase::serving;
    events.serves(GenerationId{generation}, status);
  }
  void done(Phase phase) {
    status.phase = phase;
    events.handled(status);
  }
  void crashes(std::uint64_t worker, Exit exit, std::vector<std::string> lines = {}) {
    status.last_exit = ExitStatus{.worker = WorkerId{worker},
                                  .generation = *status.serving,
                                  .slot = 1,
                                  .exit = std::move(exit),
                                  .gone = true};
    const Departed departed{77, 2s, std::move(lines)};
    events.decided(status, [&](WorkerId) { return &departed; });
  }
  // Those that the history keeps.
  std::vector<InstanceEvent> kept() {
    events.tell();
    std::vector<InstanceEvent> kept;
    std::ranges::copy_if(all, std::back_inserter(kept), is_remembered, &InstanceEvent::kind);
    return kept;
  }
  InstanceEvent newest() { return kept().back(); }
  std::size_t count() { return kept().size(); }
  // The words of what was told since the last time.
  std::vector<std::string_view> told() {
    events.tell();
    std::vector<std::string_view> words;
    for (; told_ < all.size(); ++told_) words.push_back(to_text(all[told_].kind));
    return words;
  }
  void worker(std::uint64_t id, std::uint64_t generation, WorkerState state) {
    const auto at = std::ranges::find(status.workers, WorkerId{id}, &WorkerStatus::worker);
    if (at != status.workers.end()) {
      at->state = state;
    } else {
      WorkerStatus w{};
      w.worker = WorkerId{id};
      w.generation = GenerationId{generation};
      w.state = state;
      status.workers.push_back(w);
    }
  }
  void gone(std::uint64_t id) {
    std::erase_if(status.workers, [&](const auto& w) { return w.worker == WorkerId{id}; });
  }

 private:
  std::size_t told_ = 0;
};

Asker by_signal() {
  return {.how = "signal", .signal = "SIGHUP", .user = 1000, .pid = 5, .program = "bash"};
}

}  // namespace

TEST_CASE("the first start asks for itself") {
  Story s;
  CHECK(s.count() == 1);
  CHECK(s.newest().kind == Kind::serving);
  CHECK(s.newest().by.how == "start");
  CHECK(s.newest().generation == 1);
  CHECK(s.newest().serving == 1);
  CHECK(s.newest().ok);
  CHECK(s.newest().stages.prepare.has_value());
  CHECK(s.newest().stages.start.has_value());
  CHECK_FALSE(s.newest().stages.check.has_value());
}

TEST_CASE("the stages of a reload come to what it took") {
  Story s;
  s.events.asks(by_signal());
  s.events.reload_asked();
  s.events.began(GenerationId{2}, s.status);
  s.events.check_began(GenerationId{2}, s.status);
  s.events.spawns(GenerationId{2}, s.status);
  s.events.probed(GenerationId{2}, s.status);
  s.events.probed(GenerationId{2}, s.status);  // again
  s.events.shared(GenerationId{2}, 50, s.status);
  s.events.shared(GenerationId{2}, 250, s.status);
  s.serves(2);
  s.done(Phase::serving);
  const InstanceEvent e = s.newest();
  CHECK(e.kind == Kind::reloaded);
  CHECK(e.by.program == "bash");
  REQUIRE(e.took);
  CHECK(*e.stages.prepare + *e.stages.check + *e.stages.start + *e.stages.probe + *e.stages.canary == *e.took);
}

TEST_CASE("a reload that fails in its check has no later stage") {
  Story s;
  s.events.began(GenerationId{2}, s.status);
  s.events.check_began(GenerationId{2}, s.status);
  s.events.failed(GenerationId{2}, "check: exited with status 1\nno", s.status);
  const InstanceEvent e = s.newest();
  CHECK(e.kind == Kind::reload_failed);
  CHECK_FALSE(e.ok);
  CHECK(e.generation == 2);
  CHECK(e.serving == 1);
  CHECK(e.reason == "check: exited with status 1\nno");
  CHECK(e.by.how == "graced");
  CHECK(*e.stages.prepare + *e.stages.check == *e.took);
  CHECK_FALSE(e.stages.start.has_value());
}

TEST_CASE("a reload that waits for another one has its own asker, the first of them") {
  Story s;
  s.events.asks(by_signal());
  s.events.reload_asked();
  s.events.began(GenerationId{2}, s.status);
  s.events.asks({.how = "control", .user = 0, .pid = 8});
  s.events.reload_asked();
  s.events.asks(by_signal());
  s.events.reload_asked();
  s.serves(2);
  s.done(Phase::serving);
  CHECK(s.newest().by.how == "signal");
  s.events.began(GenerationId{3}, s.status);
  s.serves(3);
  CHECK(s.newest().by.how == "control");
  s.events.began(GenerationId{4}, s.status);
  s.serves(4);
  CHECK(s.newest().by.how == "graced");
}

TEST_CASE("a crash is told once, with its last words, and so is that somebody serves again") {
  Story s;
  s.crashes(7, {"exited with status 3 after 2s", 3, 0}, {"panic", "at 7"});
  s.done(Phase::down);
  s.events.decided(s.status, [](WorkerId) { return nullptr; });
  REQUIRE(s.count() == 2);
  CHECK(s.newest().kind == Kind::crashed);
  CHECK(s.newest().reason == "exited with status 3 after 2s\npanic\nat 7");
  CHECK(s.newest().status == 3);
  CHECK(s.newest().signal == "");
  CHECK(s.newest().worker == 1U);
  CHECK(s.newest().worker_pid == 77);
  CHECK(s.newest().by.how == "");

  s.done(Phase::serving);
  REQUIRE(s.count() == 3);
  CHECK(s.newest().kind == Kind::serving);
  CHECK(s.newest().by.how == "crash");
  s.crashes(8, {"killed by SIGSEGV", 139, 11});
  CHECK(s.newest().signal == "SIGSEGV");
  CHECK_FALSE(s.newest().status.has_value());
}

TEST_CASE("a reload that ends a time without anybody is told once") {
  Story s;
  s.crashes(7, {"exited with status 3", 3, 0});
  s.done(Phase::down);
  s.events.began(GenerationId{2}, s.status);
  s.serves(2);
  s.done(Phase::serving);
  CHECK(s.count() == 3);
  CHECK(s.newest().kind == Kind::reloaded);
}

TEST_CASE("a hammer is one entry for a generation, and says who wanted it") {
  Story s;
  s.events.asks({.how = "control", .user = 0});
  s.events.asked();
  s.events.killed(GenerationId{1}, 1, s.status);
  s.events.killed(GenerationId{1}, 1, s.status);
  s.events.killed(GenerationId{2}, 1, s.status);
  s.done(Phase::serving);
  REQUIRE(s.count() == 3);
  CHECK(s.kept().at(1).killed == 2);
  CHECK(s.kept().at(1).by.how == "control");
  CHECK(s.newest().killed == 1);

  s.events.killed(GenerationId{2}, 1, s.status);
  s.done(Phase::serving);
  REQUIRE(s.count() == 4);
  CHECK(s.newest().by.how == "graced");
  CHECK(s.newest().reason == "not gone in time");
}

TEST_CASE("a stop as asked has no reason, and giving up has one") {
  Story s;
  SUBCASE("asked") {
    s.events.asks(by_signal());
    s.events.asked();
    s.status.stops_because = "stopped as asked";
    s.done(Phase::stopping);
    CHECK(s.newest().kind == Kind::stopping);
    CHECK(s.newest().by.signal == "SIGHUP");
    CHECK(s.newest().reason == "");
    CHECK(s.newest().ok);
  }
  SUBCASE("gives up") {
    s.status.stops_because = "the last worker exited with status 3";
    s.status.exit_status = 3;
    s.done(Phase::stopping);
    CHECK(s.newest().kind == Kind::gave_up);
    CHECK(s.newest().by.how == "graced");
    CHECK(s.newest().reason == "the last worker exited with status 3");
    CHECK_FALSE(s.newest().ok);
  }
  s.done(Phase::finished);
  CHECK(s.count() == 2);
}

TEST_CASE("a start that fails is told as giving up, with its last words") {
  std::vector<InstanceEvent> all;
  InstanceEvents events{"shop", [&](const InstanceEvent& e) { all.push_back(e); }};
  Status status;
  events.began(GenerationId{1}, status);
  events.spawns(GenerationId{1}, status);
  events.failed(GenerationId{1}, "exited with status 1\nno config", status);
  status.phase = Phase::stopping;
  status.exit_status = 1;
  status.stops_because = "exited with status 1";
  events.handled(status);
  REQUIRE(all.size() == 3);
  const InstanceEvent& e = all.back();
  CHECK(e.kind == Kind::gave_up);
  CHECK(e.name == "shop");
  CHECK(e.generation == 1);
  CHECK_FALSE(e.serving.has_value());
  CHECK(e.reason == "exited with status 1\nno config");
  CHECK(e.stages.start.has_value());
}

TEST_CASE("who follows is told each step of a reload, until the generation before is gone") {
  Story s;
  s.worker(1, 1, WorkerState::ready);
  s.told();
  s.events.began(GenerationId{2}, s.status);
  s.events.check_began(GenerationId{2}, s.status);
  s.status.candidate = GenerationId{2};
  s.worker(2, 2, WorkerState::starting);
  s.events.spawns(GenerationId{2}, s.status);
  s.events.spawns(GenerationId{2}, s.status);  // its second worker
  s.done(Phase::reloading);
  s.events.probed(GenerationId{2}, s.status);
  s.events.probed(GenerationId{2}, s.status);
  s.worker(2, 2, WorkerState::ready);
  s.done(Phase::reloading);
  CHECK(s.told() == std::vector<std::string_view>{"preparing", "checking", "starting", "ready", "probing"});
  s.events.shared(GenerationId{2}, 50, s.status);
  s.events.shared(GenerationId{2}, 250, s.status);
  CHECK(s.told() == std::vector<std::string_view>{"canary", "canary"});
  CHECK(s.all.back().per_mille == 250);

  s.status.candidate.reset();
  s.serves(2);
  s.worker(1, 1, WorkerState::retiring);
  s.done(Phase::serving);
  s.worker(1, 1, WorkerState::draining);
  s.done(Phase::serving);
  CHECK(s.told() == std::vector<std::string_view>{"reloaded", "draining"});
  CHECK(s.all.back().generation == 1);
  s.gone(1);
  s.done(Phase::serving);
  s.done(Phase::serving);
  CHECK(s.told() == std::vector<std::string_view>{"gone"});
}

TEST_CASE("a candidate that fails does not drain, and a worker that leaves alone is no generation") {
  Story s;
  s.worker(1, 1, WorkerState::ready);
  s.worker(2, 1, WorkerState::draining);
  s.worker(3, 2, WorkerState::draining);
  s.status.workers.back().thrown_away = true;
  s.told();
  s.done(Phase::degraded);
  s.gone(3);
  s.done(Phase::serving);
  CHECK(s.told() == std::vector<std::string_view>{"degraded", "recovered"});
}

TEST_CASE("nobody serves, then one worker of two does, then both") {
  Story s;
  s.told();
  s.crashes(7, {"exited with status 3", 3, 0});
  s.done(Phase::down);
  CHECK(s.told() == std::vector<std::string_view>{"crashed", "down"});
  s.done(Phase::degraded);
  CHECK(s.told() == std::vector<std::string_view>{"serving", "degraded"});
  s.done(Phase::serving);
  CHECK(s.told() == std::vector<std::string_view>{"recovered"});
}
