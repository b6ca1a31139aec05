// DrainRule::idle: left alone until its connections are done, and only then told to leave.
#include "supervisor_story.h"

namespace graced {

namespace {

Policy idle(Policy p = {}) {
  p.drain = DrainRule::idle;
  return p;
}

}  // namespace

TEST_CASE("an old worker is not told to leave while it has connections") {
  Story s = serving(idle());
  const WorkerId old = s.newest();
  s.reloads();
  CHECK(the<Retire>(s.last).worker == old);
  CHECK(none<Drain>(s.last));
  CHECK(s.state(old) == "retiring");
  CHECK(s.serving_generation() == GenerationId{2});
  s.passes(54s);
  CHECK(s.last.empty());
}

TEST_CASE("new connections go to the new generation before the old one is retired") {
  Story s = serving(idle());
  s.reloads();
  REQUIRE(s.last.size() == 2);
  CHECK(std::holds_alternative<Switch>(s.last[0]));
  CHECK(std::holds_alternative<Retire>(s.last[1]));
}

TEST_CASE("an idle worker is told to leave, once, and keeps what is left of its time") {
  Story s = serving(idle({.drain_timeout = 20s}));
  const WorkerId old = s.newest();
  s.reloads();
  const Instant limit = s.now + 20s;
  CHECK(s.killed_at(old) == limit);
  s.passes(3s);
  s.happens(WorkerIdle{old});
  CHECK(the<Drain>(s.last).worker == old);
  CHECK(s.state(old) == "draining");
  CHECK(s.killed_at(old) == limit);
  CHECK(s.last_call(old) == no_deadline);  // nothing is left to close
  s.happens(WorkerIdle{old});
  CHECK(s.last.empty());
  s.passes(17s);
  CHECK(the<Kill>(s.last).worker == old);
}

TEST_CASE("a worker that is idle just before its signal would come has its grace to leave") {
  Story s = serving(idle({.drain_timeout = 20s, .drain_grace = 4s}));
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(16s - 1ns);
  s.happens(WorkerIdle{old});
  CHECK(the<Drain>(s.last).worker == old);
  CHECK(s.deadline(old) == s.now + 4s + 1ns);
}

TEST_CASE(
    "a server that finishes by itself hears its signal before it is killed, though connections are open") {
  Story s = serving(idle({.drain_timeout = 20s, .drain_grace = 4s}));
  const WorkerId old = s.newest();
  s.reloads();
  CHECK(s.deadline(old) == s.now + 16s);
  CHECK(s.last_call(old) == s.now + 19s);
  CHECK(s.killed_at(old) == s.now + 20s);
  s.passes(16s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Drain>(s.last).worker == old);
  CHECK(none<Kill>(s.last));
  CHECK(s.last_call(old) == s.now + 3s);  // until then its connections are its own
  s.passes(4s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Kill>(s.last).worker == old);
}

TEST_CASE("connections that end after the signal change nothing: the worker has been told") {
  Story s = serving(idle({.drain_timeout = 20s, .drain_grace = 4s}));
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(17s);
  s.happens(WorkerIdle{old});
  CHECK(s.last.empty());
  CHECK(s.killed_at(old) == s.now + 3s);
}

TEST_CASE(
    "the grace is a quarter of the drain timeout at most, and connections are closed half of that before its "
    "end") {
  Story s = serving(idle({.drain_timeout = 2s}));
  const WorkerId old = s.newest();
  s.reloads();
  CHECK(s.deadline(old) == s.now + 1500ms);
  CHECK(s.last_call(old) == s.now + 1750ms);
  CHECK(s.killed_at(old) == s.now + 2s);
}

TEST_CASE("without --drain-idle no connection is closed for being idle") {
  Story s = serving(idle());
  const WorkerId old = s.newest();
  CHECK(s.status(old).drain_idle == infinity);
  s.reloads();
  CHECK(s.status(old).drain_idle == infinity);
  CHECK(s.status(old).any_pause == no_deadline);
}

TEST_CASE("with it they are, at last when they pause, and all of them before the signal") {
  Story s = serving(idle({.drain_timeout = 20s, .drain_grace = 4s, .drain_idle = 3s}));
  const WorkerId old = s.newest();
  s.reloads();
  CHECK(s.status(old).drain_idle == 3s);
  CHECK(s.status(old).any_pause == s.now + 14s);
  CHECK(s.last_call(old) == s.now + 15s);
  s.passes(16s);
  CHECK(the<Drain>(s.last).worker == old);
  CHECK(s.status(old).any_pause <= s.now);
  CHECK(s.last_call(old) <= s.now);
}

TEST_CASE("with it short timeouts leave as much time to close as before the signal and after it") {
  Story s = serving(idle({.drain_timeout = 400ms, .drain_idle = 3s}));
  const WorkerId old = s.newest();
  s.reloads();
  CHECK(s.status(old).any_pause == s.now + 100ms);
  CHECK(s.last_call(old) == s.now + 200ms);
  CHECK(s.deadline(old) == s.now + 300ms);
  CHECK(s.killed_at(old) == s.now + 400ms);
}

TEST_CASE(
    "whoever must make room has its signal and its grace, and its connections are closed before it is killed") {
  Story s = serving(idle({.drain_grace = 4s, .last_call = 900ms, .max_draining = 1, .max_draining_grace = 2s}));
  const WorkerId first = s.newest();
  s.reloads();
  s.passes(10s);
  s.reloads();
  CHECK(s.deadline(first) == s.now + 2s);
  CHECK(s.last_call(first) == s.now + 6s - 900ms);
  CHECK(s.killed_at(first) == s.now + 6s);
}

TEST_CASE(
    "one that was told to make room and is in the way again: what it has left is closed before it is killed") {
  Story s = serving(idle({.drain_grace = 10s, .max_draining = 1, .max_draining_grace = 2s}));
  const WorkerId first = s.newest();
  s.reloads();
  s.reloads();
  s.passes(2s);
  CHECK(the<Drain>(s.last).worker == first);
  s.passes(3s);
  s.reloads();
  CHECK(none<Kill>(s.last));
  CHECK(s.last_call(first) == s.now);
  CHECK(s.killed_at(first) == s.now + 500ms);
}

TEST_CASE("a stop has its grace, and the closing of connections, within its timeout") {
  Story s = serving(idle({.drain_grace = 5s, .last_call = 900ms, .stop_timeout = 30s}));
  const WorkerId w = s.newest();
  s.happens(StopAsked{nobody});
  CHECK(s.deadline(w) == s.now + 25s);
  CHECK(s.last_call(w) == s.now + 30s - 900ms);
  CHECK(s.killed_at(w) == s.now + 30s);
}

TEST_CASE("a stop does not wait for a keep-alive client: five seconds of quiet end its connection") {
  Story s = serving(idle());
  const WorkerId w = s.newest();
  s.happens(StopAsked{nobody});
  CHECK(s.status(w).drain_idle == 5s);
  CHECK(s.status(w).any_pause == no_deadline);
}

TEST_CASE("a stop is as hasty with idle connections as --drain-idle, if that is shorter") {
  Story s = serving(idle({.drain_timeout = infinity, .drain_idle = 2s}));
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(StopAsked{nobody});
  CHECK(s.status(old).drain_idle == 2s);
  CHECK(s.status(s.newest()).drain_idle == 2s);

  Story patient = serving(idle({.drain_idle = 1min}));
  patient.happens(StopAsked{nobody});
  CHECK(patient.status(patient.newest()).drain_idle == 5s);
}

TEST_CASE("a stop with --drain signal tells at once and closes nothing") {
  Story s = serving(Policy{.drain = DrainRule::signal});
  const WorkerId w = s.newest();
  s.happens(StopAsked{nobody});
  CHECK(the<Drain>(s.last).worker == w);
  CHECK(s.last_call(w) == no_deadline);
  CHECK(s.killed_at(w) == s.now + 30s);
}

TEST_CASE("a stop hurries those that were told with connections left") {
  Story s = serving(idle({.drain_timeout = 1h, .drain_grace = 10s, .stop_timeout = 4s}));
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(1h - 10s);
  s.happens(StopAsked{nobody});
  CHECK(s.last_call(old) == s.now + 3500ms);
  CHECK(s.killed_at(old) == s.now + 4s);
}

TEST_CASE("a drain timeout of zero: told to leave and killed at once, connections or not") {
  Story s = serving(idle({.drain_timeout = 0s}));
  s.reloads();
  CHECK(only<Retire>(s.last).size() == 1);
  s.passes(0s);
  CHECK(only<Drain>(s.last).size() == 1);
  CHECK(only<Kill>(s.last).size() == 1);
}

TEST_CASE("an infinite drain timeout: connections may last for ever") {
  Story s = serving(idle({.drain_timeout = infinity}));
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(24h * 365);
  CHECK(s.last.empty());
  CHECK(s.state(old) == "retiring");
}

TEST_CASE("the rule of the generation that leaves counts, not that of the next one") {
  Story s = serving(idle());
  s.reloads(Policy{});
  CHECK(only<Retire>(s.last).size() == 1);
  CHECK(none<Drain>(s.last));
  s.reloads(idle());
  CHECK(none<Retire>(s.last));
  CHECK(only<Drain>(s.last).size() == 1);
}

TEST_CASE("a candidate that failed is told to leave at once: it has no connections") {
  Story s = serving(idle());
  s.happens(ReloadAsked{nobody});
  s.prepared(idle({.workers = 2}));
  s.exits(s.newest(1));
  CHECK(the<Drain>(s.last).worker == s.newest(0));
  CHECK(none<Retire>(s.last));
}

TEST_CASE("a retiring worker that exits by itself is done and is not replaced") {
  Story s = serving(idle());
  const WorkerId old = s.newest();
  s.reloads();
  s.exits(old, 0);
  CHECK(s.last.empty());
  CHECK(s.phase() == "serving");
  s.passes(1h);
  CHECK(s.last.empty());
}

TEST_CASE("each worker of a generation is told when it is idle itself") {
  Story s = serving(idle({.workers = 2}));
  const WorkerId a = s.newest(0);
  const WorkerId b = s.newest(1);
  s.reloads();
  CHECK(only<Retire>(s.last).size() == 2);
  s.happens(WorkerIdle{b});
  CHECK(the<Drain>(s.last).worker == b);
  CHECK(s.state(a) == "retiring");
}

TEST_CASE("the hammer does not wait for connections") {
  Story s = serving(idle());
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(HammerAsked{});
  CHECK(the<Kill>(s.last).worker == old);
  CHECK(s.state(old) == "killed");
}

TEST_CASE("beyond max-draining the oldest is told to leave, connections or not") {
  Story s = serving(idle({.max_draining = 1}));
  const WorkerId first = s.newest();
  s.reloads();
  s.passes(1s);
  s.reloads();
  CHECK(the<Drain>(s.last).worker == first);
  CHECK(none<Kill>(s.last));
  CHECK(s.state(first) == "draining");
}

TEST_CASE("a stop lets connections finish and ends within its timeout") {
  Story s = serving(idle({.drain_grace = 5s, .stop_timeout = 30s}));
  const WorkerId w = s.newest();
  s.happens(StopAsked{nobody});
  CHECK(the<Retire>(s.last).worker == w);
  s.passes(25s);
  CHECK(the<Drain>(s.last).worker == w);
  s.passes(5s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Kill>(s.last).worker == w);
}

TEST_CASE("a stop hurries those who are retiring already") {
  Story s = serving(idle({.drain_timeout = 1h, .drain_grace = 5s, .stop_timeout = 8s}));
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(StopAsked{nobody});
  CHECK(s.deadline(old) == s.now + 6s);
  CHECK(s.killed_at(old) == s.now + 8s);
  s.passes(8s);
  CHECK(only<Drain>(s.last).size() == 2);
  CHECK(only<Kill>(s.last).size() == 2);
}

TEST_CASE("a second stop does not wait for connections") {
  Story s = serving(idle());
  s.happens(StopAsked{nobody});
  s.happens(StopAsked{nobody});
  CHECK(only<Kill>(s.last).size() == 1);
}

TEST_CASE("EXTEND_TIMEOUT gives a retiring worker more time") {
  Story s = serving(idle({.drain_timeout = 4s}));
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(WorkerAsksTime{old, 10s});
  CHECK(s.deadline(old) == s.now + 10s);
  CHECK(s.killed_at(old) == s.now + 11s);
}

TEST_CASE("idle is said of a worker that serves, or of nobody: nothing follows") {
  Story s = serving(idle());
  s.happens(WorkerIdle{s.newest()});
  CHECK(s.last.empty());
  s.happens(WorkerIdle{WorkerId{99}});
  CHECK(s.last.empty());
}

}  // namespace graced
