// What a graced that was killed has left to the next one.
#include "supervisor_story.h"

namespace graced {

namespace {

Story with_survivors(const Policy& policy) {
  Story s(policy);
  s.happens(SurvivorsFound{});
  s.happens(ReloadAsked{nobody});
  s.prepared();
  return s;
}

Instant deadline_of_survivors(const Story& s) {
  const auto survivors = s.supervisor.status().survivors;
  REQUIRE(survivors);
  return survivors->deadline;
}

}  // namespace

TEST_CASE("survivors serve until a generation does, and have its drain timeout") {
  Story s = with_survivors(Policy{.drain_timeout = 50s});
  CHECK(none<DrainSurvivors>(s.last));
  CHECK(deadline_of_survivors(s) == no_deadline);
  s.candidate_becomes_ready();
  CHECK(only<DrainSurvivors>(s.last).size() == 1);
  CHECK(deadline_of_survivors(s) == s.now + 50s);
  s.reloads();
  CHECK(none<DrainSurvivors>(s.last));
  s.passes(50s - 1ns);
  CHECK(none<KillSurvivors>(s.last));
  s.passes(1ns);
  CHECK(only<KillSurvivors>(s.last).size() == 1);
  s.happens(SurvivorsGone{});
  CHECK(!s.supervisor.status().survivors);
}

TEST_CASE("a stop waits for survivors as it does for workers, within the stop timeout") {
  Story s = with_survivors(Policy{.drain_timeout = 50s, .stop_timeout = 10s});
  s.candidate_becomes_ready();
  s.happens(StopAsked{RequestId{7}});
  CHECK(deadline_of_survivors(s) == s.now + 10s);
  s.everybody_exits();
  CHECK(none<Finished>(s.last));
  CHECK(none<Answer>(s.last));

  SUBCASE("they finish") {
    s.happens(SurvivorsGone{});
    CHECK(the<Answer>(s.last).ok);
    CHECK(the<Finished>(s.last).exit_status == 0);
    CHECK(s.supervisor.next_deadline() == no_deadline);
  }
  SUBCASE("they do not") {
    s.passes(10s);
    CHECK(only<KillSurvivors>(s.last).size() == 1);
    CHECK(none<Finished>(s.last));
    s.happens(SurvivorsGone{});
    CHECK(the<Finished>(s.last).exit_status == 0);
  }
  SUBCASE("a second stop does not wait") {
    s.happens(StopAsked{nobody});
    CHECK(only<KillSurvivors>(s.last).size() == 1);
  }
}

TEST_CASE("survivors that have less time than a stop gives keep that") {
  Story s = with_survivors(Policy{.drain_timeout = 5s, .stop_timeout = 10s});
  s.candidate_becomes_ready();
  s.passes(1s);
  s.happens(StopAsked{nobody});
  CHECK(deadline_of_survivors(s) == s.now + 4s);
}

TEST_CASE("a stop before anybody else serves drains survivors as well") {
  Story s = with_survivors(Policy{.stop_timeout = 10s});
  s.happens(StopAsked{nobody});
  CHECK(only<DrainSurvivors>(s.last).size() == 1);
  CHECK(deadline_of_survivors(s) == s.now + 10s);
}

TEST_CASE("survivors of a start that fails may be all that serves, and are left alone") {
  Story s = with_survivors(Policy{});
  s.exits(s.newest(), 3);
  CHECK(none<DrainSurvivors>(s.last));
  CHECK(none<KillSurvivors>(s.last));
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("the hammer strikes survivors that drain, and no others") {
  Story s = with_survivors(Policy{});
  s.happens(HammerAsked{});
  CHECK(none<KillSurvivors>(s.last));
  s.candidate_becomes_ready();
  s.happens(HammerAsked{});
  CHECK(only<KillSurvivors>(s.last).size() == 1);
  s.happens(HammerAsked{});
  CHECK(none<KillSurvivors>(s.last));
}

}  // namespace graced
