// What ran before graced and is taken over.
#include "supervisor_story.h"

namespace graced {

namespace {

Story with_taken(const Policy& policy, bool ended_elsewhere = false) {
  Story s(policy);
  s.happens(ReloadAsked{nobody});
  s.happens(TakenFound{ended_elsewhere});
  s.prepared();
  return s;
}

WorkerStatus taken(const Story& s) {
  const auto status = s.supervisor.status().taken;
  REQUIRE(status);
  return *status;
}

const Policy idle{.drain = DrainRule::idle, .drain_timeout = 50s, .drain_grace = 5s, .stop_timeout = 20s};

}  // namespace

TEST_CASE("what is taken over serves until a generation does, and is told to leave when it is idle") {
  Story s = with_taken(idle);
  CHECK(taken(s).state == WorkerState::ready);
  CHECK(s.phase() == "starting");
  s.candidate_becomes_ready();
  CHECK(only<Switch>(s.last).size() == 1);
  CHECK(only<RetireTaken>(s.last).size() == 1);
  CHECK(none<DrainTaken>(s.last));
  CHECK(taken(s).state == WorkerState::retiring);
  CHECK(taken(s).deadline == s.now + 45s);
  CHECK(taken(s).killed_at == s.now + 50s);
  CHECK(s.phase() == "serving");
  s.passes(1s);
  s.happens(TakenIdle{});
  CHECK(only<DrainTaken>(s.last).size() == 1);
  CHECK(taken(s).state == WorkerState::draining);
  CHECK(taken(s).deadline == s.now + 49s);
  s.happens(TakenGone{});
  CHECK(!s.supervisor.status().taken);
}

TEST_CASE("what is taken over and never idle is told to leave, and killed, at its time") {
  Story s = with_taken(idle);
  s.candidate_becomes_ready();
  s.passes(45s - 1ns);
  CHECK(none<DrainTaken>(s.last));
  s.passes(1ns);
  CHECK(only<DrainTaken>(s.last).size() == 1);
  s.passes(5s - 1ns);
  CHECK(none<KillTaken>(s.last));
  s.passes(1ns);
  CHECK(only<KillTaken>(s.last).size() == 1);
  s.passes(1h);
  CHECK(none<KillTaken>(s.last));
}

TEST_CASE("what somebody else manages is never killed, and not waited for beyond its time") {
  Story s = with_taken(idle, true);
  s.candidate_becomes_ready();
  s.happens(TakenIdle{});
  s.passes(1h);
  CHECK(none<KillTaken>(s.last));
  CHECK(s.supervisor.next_deadline() == no_deadline);
  s.happens(StopAsked{nobody});
  s.everybody_exits();
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("with --drain signal what is taken over is told to leave at the switch") {
  Story s = with_taken(Policy{.drain_timeout = 50s});
  s.candidate_becomes_ready();
  CHECK(none<RetireTaken>(s.last));
  CHECK(only<DrainTaken>(s.last).size() == 1);
  CHECK(taken(s).deadline == s.now + 50s);
}

TEST_CASE("a first generation that fails gives back what was taken over, once its workers are gone") {
  Policy policy = idle;
  policy.workers = 2;
  Story s = with_taken(policy);
  s.exits(s.newest(0), 3);
  CHECK(none<GiveBackTaken>(s.last));
  CHECK(none<Finished>(s.last));
  s.exits(s.newest(1), 0);
  REQUIRE(s.last.size() == 2);
  CHECK(std::holds_alternative<GiveBackTaken>(s.last.front()));
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("a stop before the switch gives back what was taken over") {
  Story s = with_taken(idle);
  s.happens(StopAsked{nobody});
  CHECK(none<DrainTaken>(s.last));
  s.everybody_exits();
  CHECK(only<GiveBackTaken>(s.last).size() == 1);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("what cannot be prepared touches nothing that runs") {
  Story s(idle);
  s.happens(ReloadAsked{nobody});
  s.happens(TakenFound{});
  s.happens(PreparationFailed{s.preparing, "no"});
  CHECK(only<GiveBackTaken>(s.last).size() == 1);
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("a stop after the switch waits for what was taken over as for a worker") {
  Story s = with_taken(idle);
  s.candidate_becomes_ready();
  s.happens(StopAsked{nobody});
  CHECK(taken(s).killed_at == s.now + 20s);
  s.everybody_exits();
  CHECK(none<Finished>(s.last));
  SUBCASE("it finishes") {
    s.happens(TakenIdle{});
    CHECK(only<DrainTaken>(s.last).size() == 1);
    s.happens(TakenGone{});
    CHECK(none<GiveBackTaken>(s.last));
    CHECK(the<Finished>(s.last).exit_status == 0);
  }
  SUBCASE("it does not") {
    s.passes(20s);
    CHECK(only<KillTaken>(s.last).size() == 1);
    s.happens(TakenGone{});
    CHECK(the<Finished>(s.last).exit_status == 0);
  }
  SUBCASE("a second stop does not wait") {
    s.happens(StopAsked{nobody});
    CHECK(only<KillTaken>(s.last).size() == 1);
  }
}

TEST_CASE("a second stop does not wait for what somebody else manages, which is told to leave all the same") {
  Story s = with_taken(idle, true);
  s.candidate_becomes_ready();
  s.happens(StopAsked{nobody});
  s.everybody_exits();
  CHECK(none<Finished>(s.last));
  s.happens(StopAsked{nobody});
  CHECK(only<DrainTaken>(s.last).size() == 1);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("the hammer leaves alone what is to be taken over, and strikes what leaves") {
  Story s = with_taken(idle);
  s.happens(HammerAsked{});
  CHECK(none<KillTaken>(s.last));
  s.candidate_becomes_ready();
  s.happens(HammerAsked{});
  CHECK(only<KillTaken>(s.last).size() == 1);
  s.happens(HammerAsked{});
  CHECK(none<KillTaken>(s.last));
}

TEST_CASE("what is to be taken over may end before the switch, and the generation serves all the same") {
  Story s = with_taken(idle);
  s.happens(TakenGone{});
  s.candidate_becomes_ready();
  CHECK(none<RetireTaken>(s.last));
  CHECK(s.phase() == "serving");
  s.reloads();
}

}  // namespace graced
