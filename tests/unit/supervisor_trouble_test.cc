// What is said while fewer workers serve than were asked for, or none, and of the worker that was the last to
// go.
#include "core/story.h"
#include "supervisor_story.h"

namespace graced {

namespace {

ExitStatus last_exit(const Status& status) {
  REQUIRE(status.last_exit.has_value());
  return *status.last_exit;
}

std::string story(const Story& s) {
  return story_of(s.supervisor.status());
}

}  // namespace

TEST_CASE("a worker that crashes in a loop: nobody serves between its end and its successor") {
  Story s = serving(Policy{.restart_delay = 1s});
  for (int i = 0; i < 3; ++i) {
    CHECK(s.phase() == "serving");
    s.passes(2s);
    s.exits(s.newest(), 3);
    CHECK(s.phase() == "down");
    s.passes(s.supervisor.next_deadline() - s.now);
    CHECK(s.phase() == "down");  // it is started, and not ready yet
    s.happens(WorkerReady{s.newest()});
  }
  CHECK(s.phase() == "serving");
}

TEST_CASE("two workers of which one crashes in a loop: fewer serve than were asked for") {
  Story s = serving(Policy{.workers = 2, .restart_delay = 1s});
  CHECK(s.supervisor.status().workers_asked == 2);
  CHECK(s.supervisor.status().workers_ready == 2);
  s.exits(s.newest(1));
  CHECK(s.phase() == "degraded");
  CHECK(s.supervisor.status().workers_ready == 1);
  s.passes(1s);
  CHECK(s.phase() == "degraded");
  s.exits(s.newest(0));
  CHECK(s.phase() == "down");
  s.happens(WorkerReady{s.newest(1)});
  CHECK(s.phase() == "degraded");
  s.passes(1s);
  s.happens(WorkerReady{s.newest(0)});
  CHECK(s.phase() == "serving");
}

TEST_CASE("trouble is said also while a candidate is on trial, and ends when that serves") {
  Story s = serving(Policy{.workers = 2, .restart_delay = 1h});
  s.exits(s.newest(0));
  s.happens(ReloadAsked{nobody});
  CHECK(s.phase() == "degraded");
  CHECK(course_of(s.supervisor.status()) == Phase::reloading);
  s.exits(s.newest(1));
  CHECK(s.phase() == "down");
  CHECK(course_of(s.supervisor.status()) == Phase::reloading);
  s.prepared();
  s.happens(WorkerReady{s.newest(0)});
  CHECK(s.phase() == "down");  // the candidate gets no connections before all of it is ready
  s.happens(WorkerReady{s.newest(1)});
  CHECK(s.phase() == "serving");
  CHECK(course_of(s.supervisor.status()) == Phase::serving);
}

TEST_CASE("a reload may ask for fewer workers than are left") {
  Story s = serving(Policy{.workers = 3, .restart_delay = 1h});
  s.exits(s.newest(0));
  CHECK(s.phase() == "degraded");
  s.reloads(Policy{.workers = 1});
  CHECK(s.phase() == "serving");
  CHECK(s.supervisor.status().workers_asked == 1);
}

TEST_CASE("a worker that leaves by itself serves no longer, though it finishes what it has") {
  Story s = serving(Policy{.restart_delay = 1s});
  s.happens(WorkerStopping{s.newest()});
  CHECK(s.phase() == "down");
  s.passes(1s);
  s.happens(WorkerReady{s.newest()});
  CHECK(s.phase() == "serving");
}

TEST_CASE("while graced starts or stops it is neither down nor degraded") {
  Story s(Policy{.workers = 2});
  CHECK(s.phase() == "starting");
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(WorkerReady{s.newest(0)});
  CHECK(s.phase() == "starting");
  s.happens(WorkerReady{s.newest(1)});
  s.exits(s.newest(0));
  s.happens(StopAsked{nobody});
  CHECK(s.phase() == "stopping");
}

TEST_CASE("the last exit says whose it was, how, and when") {
  Story s = serving(Policy{.workers = 2, .restart_delay = 1s});
  CHECK_FALSE(s.supervisor.status().last_exit.has_value());
  s.passes(2s);
  const WorkerId broken = s.newest(1);
  s.happens(WorkerGone{broken, {"killed by SIGSEGV", 139, 11}});
  const Instant then = s.now;
  s.passes(500ms);
  const Status status = s.supervisor.status();
  CHECK(last_exit(status).worker == broken);
  CHECK(last_exit(status).generation == GenerationId{1});
  CHECK(last_exit(status).slot == 1);
  CHECK(last_exit(status).exit.how == "killed by SIGSEGV");
  CHECK(last_exit(status).exit.signal == 11);
  CHECK(last_exit(status).gone);
  CHECK(last_exit(status).at == then);
}

TEST_CASE("the last exit stays until a reload succeeds, however well the replacement does") {
  Story s = serving(Policy{.restart_delay = 1s});
  s.exits(s.newest(), 3);
  s.passes(1s);
  s.happens(WorkerReady{s.newest()});
  s.passes(24h);
  CHECK(last_exit(s.supervisor.status()).exit.how == "exited with status 3");

  s.happens(ReloadAsked{nobody});
  s.happens(PreparationFailed{s.preparing, "no"});
  CHECK(last_exit(s.supervisor.status()).exit.how == "exited with status 3");
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.exits(s.newest(), 4);  // the candidate's is why the reload failed, and nothing else
  CHECK(last_exit(s.supervisor.status()).exit.how == "exited with status 3");

  s.reloads();
  CHECK_FALSE(s.supervisor.status().last_exit.has_value());
  s.everybody_exits_but({s.newest()});  // those that drain end as they were told
  CHECK_FALSE(s.supervisor.status().last_exit.has_value());
}

TEST_CASE(
    "after a reload that went well, in a crash loop, its outcome stays and the last exit tells the rest") {
  Story s = serving(Policy{.restart_delay = 1s});
  s.reloads();
  s.passes(2s);
  s.exits(s.newest(), 3);
  const Status status = s.supervisor.status();
  CHECK(status.last_reload->ok);
  CHECK(status.phase == Phase::down);
  CHECK(last_exit(status).generation == status.last_reload->generation);
}

TEST_CASE("a replacement that is not ready in time is the last exit before it is gone") {
  Story s = serving(Policy{.ready_timeout = 5s, .drain_timeout = 1min, .restart_delay = 1s});
  s.exits(s.newest(), 3);
  s.passes(1s);
  const WorkerId late = s.newest();
  s.passes(5s);
  Status status = s.supervisor.status();
  CHECK(last_exit(status).worker == late);
  CHECK(last_exit(status).exit.how == "was not ready within 5s");
  CHECK_FALSE(last_exit(status).gone);

  s.passes(1s);
  s.happens(WorkerGone{late, {"killed by SIGTERM", 143, 15}});
  status = s.supervisor.status();
  CHECK(last_exit(status).exit.how == "was not ready within 5s, then killed by SIGTERM");
  CHECK(last_exit(status).exit.signal == 15);
  CHECK(last_exit(status).gone);
  CHECK(last_exit(status).at == s.now);
}

TEST_CASE("a worker that leaves by itself is the last exit, with how it ended once that is known") {
  Story s = serving(Policy{.restart_delay = 1s});
  const WorkerId leaving = s.newest();
  s.happens(WorkerStopping{leaving});
  CHECK(last_exit(s.supervisor.status()).exit.how == "said STOPPING=1");
  s.exits(leaving, 0);
  CHECK(last_exit(s.supervisor.status()).exit.how == "said STOPPING=1, then exited with status 0");
  CHECK(last_exit(s.supervisor.status()).exit.status == 0);
}

TEST_CASE("one that is gone and has left others behind has ended") {
  Story s = serving();
  s.happens(WorkerGone{s.newest(), {"exited with status 0", 0}, true});
  CHECK(last_exit(s.supervisor.status()).gone);
}

TEST_CASE("whoever waits to be replaced is named, and an infinite wait is no next restart") {
  Story s = serving(Policy{.workers = 2, .restart_delay = 1s});
  const WorkerId first = s.newest(1);
  s.exits(first);
  Status status = s.supervisor.status();
  REQUIRE(status.waiting.size() == 1);
  CHECK(status.waiting[0].of == first);
  CHECK(status.waiting[0].generation == GenerationId{1});
  CHECK(status.waiting[0].slot == 1);
  CHECK(status.waiting[0].at == s.now + 1s);
  s.passes(1s);
  CHECK(s.supervisor.status().waiting.empty());

  Story t = serving(Policy{.restart_delay = infinity});
  t.exits(t.newest());
  status = t.supervisor.status();
  REQUIRE(status.waiting.size() == 1);
  CHECK(status.waiting[0].at == no_deadline);
  CHECK(status.next_restart == std::nullopt);
}

TEST_CASE("the service manager reads who serves, and why nobody does") {
  Story s = serving(Policy{.workers = 2, .restart_delay = 1s});
  CHECK(story(s) == "generation 1 serves with 2 workers");
  s.exits(s.newest(1), 3);
  CHECK(story(s) ==
        "degraded: generation 1 serves with 1 of 2 workers, worker 1 exited with status 3, "
        "waiting to start another one");
  s.exits(s.newest(0), 4);
  CHECK(story(s) ==
        "down: no worker of generation 1 serves, worker 0 exited with status 4, waiting to start another one");
  s.happens(ReloadAsked{nobody});
  CHECK(story(s) ==
        "down: no worker of generation 1 serves, worker 0 exited with status 4, generation 2 is starting, "
        "waiting to start another one");
  s.happens(PreparationFailed{s.preparing, "no"});
  CHECK(story(s).ends_with(", waiting to start another one; the reload to generation 2 failed: no"));
}

}  // namespace graced
