// DrainRule::signal where new connections go elsewhere from the switch on: first those who have just connected
// are heard, then comes the signal.
#include "supervisor_story.h"

namespace graced {

namespace {

Policy settling(Policy p = {}) {
  p.settle = 200ms;
  return p;
}

}  // namespace

TEST_CASE("an old generation settles after the switch and the answer, before it is told to leave") {
  Story s = serving(settling());
  const WorkerId old = s.newest();
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared();
  s.candidate_becomes_ready();
  REQUIRE(s.last.size() == 3);
  CHECK(std::holds_alternative<Switch>(s.last[0]));
  CHECK(std::holds_alternative<Answer>(s.last[1]));
  CHECK(the<Settle>(s.last).generation == GenerationId{1});
  CHECK(s.state(old) == "settling");
  CHECK(s.deadline(old) == s.now + 200ms);

  s.happens(Settled{GenerationId{1}});
  CHECK(the<Drain>(s.last).worker == old);
  CHECK(s.state(old) == "draining");
}

TEST_CASE("a worker that has settled has its whole drain timeout") {
  Story s = serving(settling({.drain_timeout = 5s}));
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(150ms);
  s.happens(Settled{GenerationId{1}});
  CHECK(s.deadline(old) == s.now + 5s);
}

TEST_CASE("a client that never speaks holds up the drain signal for the time to settle, and no longer") {
  Story s = serving(settling());
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(200ms - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Drain>(s.last).worker == old);
  s.happens(Settled{GenerationId{1}});
  CHECK(s.last.empty());
}

TEST_CASE("all workers of a generation are told together once it has settled") {
  Story s = serving(settling({.workers = 3}));
  s.reloads();
  CHECK(only<Settle>(s.last).size() == 1);
  s.happens(Settled{GenerationId{1}});
  CHECK(only<Drain>(s.last).size() == 3);
}

TEST_CASE("whether the old one settles is the matter of the new one's sockets") {
  Story s = serving(settling());
  Policy shared = settling();
  shared.settle = 0s;
  s.reloads(shared);
  CHECK(none<Settle>(s.last));
  CHECK(only<Drain>(s.last).size() == 1);
}

TEST_CASE("a generation that drains idle ones does not settle before") {
  Story s = serving(settling({.drain = DrainRule::idle}));
  s.reloads();
  CHECK(none<Settle>(s.last));
  CHECK(only<Retire>(s.last).size() == 1);
}

TEST_CASE("a stop tells at once who settles") {
  Story s = serving(settling({.stop_timeout = 3s}));
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(StopAsked{nobody});
  CHECK(only<Drain>(s.last).size() == 2);
  CHECK(s.deadline(old) == s.now + 3s);
  CHECK(none<Settle>(s.last));
}

TEST_CASE("a worker that is gone before it has settled is not told") {
  Story s = serving(settling());
  s.reloads();
  s.exits(WorkerId{1}, 0);
  s.happens(Settled{GenerationId{1}});
  CHECK(s.last.empty());
}

TEST_CASE("one generation too many is told at once though it has not settled") {
  Story s = serving(settling({.max_draining = 1}));
  s.reloads();
  s.reloads();
  CHECK(the<Drain>(s.last).worker == WorkerId{1});
  CHECK(the<Kill>(s.last).worker == WorkerId{1});
  CHECK(the<Settle>(s.last).generation == GenerationId{2});
}

TEST_CASE("the hammer does not wait for anybody to settle") {
  Story s = serving(settling());
  s.reloads();
  s.happens(HammerAsked{});
  CHECK(the<Kill>(s.last).worker == WorkerId{1});
}

TEST_CASE(
    "a settling worker that asks for time does not know that it is to leave: it is told when it is time") {
  Story s = serving(settling());
  s.reloads();
  s.happens(WorkerAsksTime{WorkerId{1}, 10s});
  s.passes(200ms);
  CHECK(only<Drain>(s.last).size() == 1);
}

}  // namespace graced
