// What makes a worker ready: READY=1, being seen to listen, or time (`--ready`).
#include "supervisor_story.h"

namespace graced {

namespace {

// The first start, up to the worker that is there and not yet ready.
Story starting(const Policy& policy) {
  Story s(policy);
  s.happens(ReloadAsked{nobody});
  s.prepared();
  return s;
}

// A reload up to the same point.
void begin_reload(Story& s, const Policy& policy = {}) {
  s.happens(ReloadAsked{nobody});
  s.prepared(policy);
}

// The first generation serves because it was seen listening; it has not said READY=1.
Story serving_silently(const Policy& policy = {}) {
  Story s = starting(policy);
  for (const Spawn& spawn : std::vector<Spawn>(s.spawns)) s.happens(WorkerListening{spawn.worker});
  REQUIRE(the<Switch>(s.last).to == GenerationId{1});
  return s;
}

}  // namespace

TEST_CASE(
    "what READY=1 is worth is told with the worker: the candidate's rule, and for a replacement its "
    "generation's") {
  for (const ReadyRule rule : {ReadyRule::automatic, ReadyRule::notify, ReadyRule::listen, ReadyRule::after}) {
    Story s = starting(Policy{.ready = rule, .ready_after = 1s});
    CHECK(the<Spawn>(s.last).ready == rule);
    s.happens(WorkerReady{s.newest()});
    s.happens(WorkerListening{s.newest()});
    s.passes(1s);
    REQUIRE(s.serving_generation() == GenerationId{1});
    begin_reload(s, Policy{.ready = ReadyRule::notify});
    CHECK(the<Spawn>(s.last).ready == ReadyRule::notify);
    s.exits(s.newest());
    s.exits(s.serving().front());
    s.passes(100ms);
    CHECK(the<Spawn>(s.last).ready == rule);
  }
}

TEST_CASE(
    "a candidate that is not ready in time is abandoned as late, so that it is told what it was waited for") {
  for (const ReadyRule rule : {ReadyRule::automatic, ReadyRule::notify, ReadyRule::listen}) {
    Story s = serving();
    begin_reload(s, Policy{.ready = rule, .ready_timeout = 5s});
    s.passes(5s);
    CHECK(the<Abandon>(s.last).too_late);
    CHECK(the<Abandon>(s.last).why == "not ready within 5s");
  }
}

TEST_CASE("a candidate that waits elsewhere than it should is abandoned at once, with the reason") {
  Story s = serving();
  begin_reload(s);
  s.happens(WorkerUnfit{s.newest(), "nothing listens on tcp 127.0.0.1:8080"});
  CHECK(the<Abandon>(s.last).why == "nothing listens on tcp 127.0.0.1:8080");
  CHECK_FALSE(the<Abandon>(s.last).too_late);
  CHECK(s.serving_generation() == GenerationId{1});
}

TEST_CASE("a replacement that waits elsewhere is waited for: there is nothing else") {
  Story s = serving();
  s.exits(s.newest());
  s.passes(100ms);
  s.happens(WorkerUnfit{s.newest(), "nothing listens on tcp 127.0.0.1:8080"});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "starting");
}

TEST_CASE("one that is ready is not unfit any more") {
  Story s = starting(Policy{.workers = 2});
  s.happens(WorkerListening{s.newest(0)});
  s.happens(WorkerUnfit{s.newest(0), "nothing listens on tcp 127.0.0.1:8080"});
  CHECK(s.last.empty());
}

TEST_CASE("a candidate that dies is not late") {
  Story s = serving();
  begin_reload(s);
  s.exits(s.newest());
  CHECK_FALSE(the<Abandon>(s.last).too_late);
}

TEST_CASE("--ready listen: READY=1 before and after listening changes nothing") {
  Story s = starting(Policy{.ready = ReadyRule::listen});
  s.happens(WorkerReady{s.newest()});
  s.happens(WorkerListening{s.newest()});
  REQUIRE(the<Switch>(s.last).to == GenerationId{1});
  begin_reload(s, Policy{.ready = ReadyRule::listen});
  s.happens(WorkerListening{s.newest()});
  REQUIRE(the<Switch>(s.last).to == GenerationId{2});
  s.happens(WorkerReady{s.newest()});
  CHECK(s.last.empty());
}

TEST_CASE("--ready notify: READY=1 counts, listening does not") {
  Story s = starting(Policy{.ready = ReadyRule::notify});
  CHECK_FALSE(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "starting");
  s.happens(WorkerReady{s.newest()});
  CHECK(the<Switch>(s.last).to == GenerationId{1});
}

TEST_CASE("--ready listen: listening counts, READY=1 does not") {
  Story s = starting(Policy{.ready = ReadyRule::listen});
  CHECK(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerReady{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "starting");
  s.happens(WorkerListening{s.newest()});
  CHECK(the<Switch>(s.last).to == GenerationId{1});
}

TEST_CASE("--ready listen: listening still counts when the serving generation says READY=1") {
  Story s = serving();
  begin_reload(s, Policy{.ready = ReadyRule::listen});
  CHECK(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(the<Switch>(s.last).to == GenerationId{2});
}

TEST_CASE("--ready after: being alive for that long counts, nothing else does") {
  Story s = starting(Policy{.ready = ReadyRule::after, .ready_after = 40s, .ready_timeout = 5s});
  CHECK_FALSE(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerReady{s.newest()});
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
  s.passes(40s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Switch>(s.last).to == GenerationId{1});
  CHECK(none<Drain>(s.last));
}

TEST_CASE("--ready after: a worker that dies before its time has failed") {
  Story s = starting(Policy{.ready = ReadyRule::after, .ready_after = 2s});
  s.passes(2s - 1ns);
  s.exits(s.newest());
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("--ready after: all N workers must be alive for that long") {
  Story s = starting(Policy{.workers = 3, .ready = ReadyRule::after, .ready_after = 2s});
  s.passes(2s);
  CHECK(only<Switch>(s.last).size() == 1);
  CHECK(s.serving().size() == 3);
}

TEST_CASE("--ready after:0: in the next instant") {
  Story s = starting(Policy{.ready = ReadyRule::after, .ready_after = 0s});
  s.passes(0s);
  CHECK(the<Switch>(s.last).to == GenerationId{1});
}

TEST_CASE("--ready after: a replacement is ready after that time, too") {
  Story s = starting(Policy{.ready = ReadyRule::after, .ready_after = 2s});
  s.passes(2s);
  s.exits(s.newest());
  s.passes(100ms);
  REQUIRE(s.state(s.newest()) == "starting");
  s.passes(2s);
  CHECK(s.state(s.newest()) == "ready");
  CHECK(s.last.empty());
}

TEST_CASE("--ready auto: the first generation is ready by whichever comes first") {
  Story s = starting({});
  CHECK(the<Spawn>(s.last).watch_listening);
  SUBCASE("READY=1") {
    s.happens(WorkerReady{s.newest()});
  }
  SUBCASE("listening") {
    s.happens(WorkerListening{s.newest()});
  }
  CHECK(the<Switch>(s.last).to == GenerationId{1});

  // The other one changes nothing any more.
  s.happens(WorkerReady{s.newest()});
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "ready");
}

TEST_CASE("--ready auto: the workers of the first generation need not agree") {
  Story s = starting(Policy{.workers = 2});
  s.happens(WorkerReady{s.newest(0)});
  s.happens(WorkerListening{s.newest(1)});
  CHECK(the<Switch>(s.last).to == GenerationId{1});
}

TEST_CASE("--ready auto: after a generation that said READY=1 the candidate must say it") {
  Story s = serving();
  begin_reload(s);
  CHECK_FALSE(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.state(s.newest()) == "starting");
  s.happens(WorkerReady{s.newest()});
  CHECK(the<Switch>(s.last).to == GenerationId{2});
}

TEST_CASE("--ready auto: after a silent generation listening is enough") {
  Story s = serving_silently();
  begin_reload(s);
  CHECK(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(the<Switch>(s.last).to == GenerationId{2});
}

TEST_CASE("--ready auto: one worker that said READY=1 speaks for its generation") {
  Story s = starting(Policy{.workers = 2});
  s.happens(WorkerListening{s.newest(0)});
  s.happens(WorkerReady{s.newest(1)});
  REQUIRE(the<Switch>(s.last).to == GenerationId{1});
  begin_reload(s);
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
}

TEST_CASE("--ready auto: READY=1 said late, after it was seen listening, is learned") {
  Story s = serving_silently();
  s.happens(WorkerReady{s.newest()});
  CHECK(s.last.empty());
  begin_reload(s);
  CHECK_FALSE(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
  s.happens(WorkerReady{s.newest()});
  CHECK(the<Switch>(s.last).to == GenerationId{2});
}

TEST_CASE("--ready auto: READY=1 said late, while the candidate starts, is learned as well") {
  Story s = serving_silently();
  const WorkerId old = s.newest();
  begin_reload(s);
  s.happens(WorkerReady{old});
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
  s.happens(WorkerReady{s.newest()});
  CHECK(the<Switch>(s.last).to == GenerationId{2});
}

TEST_CASE("--ready auto: READY=1 of a candidate seen listening first is learned when the last is ready") {
  Story s = starting(Policy{.workers = 2});
  s.happens(WorkerListening{s.newest(0)});
  s.happens(WorkerReady{s.newest(0)});
  s.happens(WorkerListening{s.newest(1)});
  REQUIRE(the<Switch>(s.last).to == GenerationId{1});
  begin_reload(s);
  CHECK_FALSE(the<Spawn>(s.last).watch_listening);
}

TEST_CASE("--ready auto: READY=1 of the generation before the last is forgotten") {
  Story s = serving();
  const WorkerId first = s.newest();
  begin_reload(s, Policy{.ready = ReadyRule::listen});
  s.happens(WorkerListening{s.newest()});
  REQUIRE(the<Switch>(s.last).to == GenerationId{2});
  s.happens(WorkerReady{first});  // what drains teaches nothing
  begin_reload(s);
  CHECK(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(the<Switch>(s.last).to == GenerationId{3});
}

TEST_CASE("--ready auto: READY=1 of an abandoned candidate teaches nothing") {
  Story s = serving_silently(Policy{.workers = 2});
  begin_reload(s, Policy{.workers = 2});
  s.happens(WorkerReady{s.newest(0)});
  s.exits(s.newest(1));
  REQUIRE(s.supervisor.status().failed_reloads == 1);
  begin_reload(s, Policy{.workers = 2});
  s.happens(WorkerListening{s.newest(0)});
  s.happens(WorkerListening{s.newest(1)});
  CHECK(the<Switch>(s.last).to == GenerationId{3});
}

TEST_CASE("--ready auto: a generation that had to say READY=1 by --ready notify teaches it") {
  Story s = serving(Policy{.ready = ReadyRule::notify});
  begin_reload(s, Policy{.ready = ReadyRule::automatic});
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
}

TEST_CASE("--ready auto: READY=1 of a generation that is judged otherwise is learned as well") {
  Policy policy;
  SUBCASE("by listening") {
    policy.ready = ReadyRule::listen;
  }
  SUBCASE("by time") {
    policy.ready = ReadyRule::after;
    policy.ready_after = 1s;
  }
  Story s = starting(policy);
  s.happens(WorkerReady{s.newest()});
  s.happens(WorkerListening{s.newest()});
  s.passes(1s);
  REQUIRE(s.serving_generation() == GenerationId{1});
  begin_reload(s);
  s.happens(WorkerListening{s.newest()});
  CHECK(s.last.empty());
}

TEST_CASE("--ready auto: a replacement must say READY=1 where its generation did") {
  Story s = serving();
  s.exits(s.newest());
  s.passes(100ms);
  CHECK_FALSE(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(s.state(s.newest()) == "starting");
  s.happens(WorkerReady{s.newest()});
  CHECK(s.state(s.newest()) == "ready");
}

TEST_CASE("--ready auto: a replacement in a silent generation is ready when it listens") {
  Story s = serving_silently();
  s.exits(s.newest());
  s.passes(100ms);
  CHECK(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(s.state(s.newest()) == "ready");
}

TEST_CASE("--ready auto: what a replacement says is learned for the next reload") {
  Story s = serving_silently();
  s.exits(s.newest());
  s.passes(100ms);
  s.happens(WorkerReady{s.newest()});
  begin_reload(s);
  CHECK_FALSE(the<Spawn>(s.last).watch_listening);
}

TEST_CASE("--ready: the candidate's rule is its own, and a failed reload leaves the old one in force") {
  Story s = serving(Policy{.ready = ReadyRule::notify});
  const WorkerId old = s.newest();
  begin_reload(s, Policy{.ready = ReadyRule::listen});
  s.exits(s.newest());
  s.exits(old);
  s.passes(100ms);
  CHECK_FALSE(the<Spawn>(s.last).watch_listening);
  s.happens(WorkerListening{s.newest()});
  CHECK(s.state(s.newest()) == "starting");
  s.happens(WorkerReady{s.newest()});
  CHECK(s.state(s.newest()) == "ready");
}

TEST_CASE("--ready: serving and candidate are judged by their own rules at the same time") {
  Story s = serving(Policy{.ready = ReadyRule::notify});
  s.exits(s.newest());
  s.passes(100ms);
  const WorkerId replacement = s.newest();
  begin_reload(s, Policy{.workers = 2, .ready = ReadyRule::listen});
  const WorkerId candidate = s.newest(0);
  s.happens(WorkerListening{replacement});
  s.happens(WorkerReady{candidate});
  CHECK(s.state(replacement) == "starting");
  CHECK(s.state(candidate) == "starting");
  s.happens(WorkerReady{replacement});
  s.happens(WorkerListening{candidate});
  CHECK(s.state(replacement) == "ready");
  CHECK(s.state(candidate) == "ready");
}

}  // namespace graced
