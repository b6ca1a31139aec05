// The end: everybody drains, the second stop does not wait, Finished is said once and last.
#include "supervisor_story.h"

namespace graced {

TEST_CASE("a stop drains all workers, waits for them, answers, and finishes") {
  Story s = serving(Policy{.workers = 2, .stop_timeout = 10s});
  const WorkerId first = s.newest(0), second = s.newest(1);
  s.happens(StopAsked{RequestId{7}});
  CHECK(only<Drain>(s.last).size() == 2);
  CHECK(s.last.size() == 2);
  CHECK(s.phase() == "stopping");
  CHECK(s.deadline(first) == s.now + 10s);
  CHECK(s.deadline(second) == s.now + 10s);

  s.exits(second, 0);
  CHECK(s.last.empty());
  s.passes(9s);
  s.exits(first, 3);  // how they end is of no consequence
  REQUIRE(s.last.size() == 2);
  const Answer answer = std::get<Answer>(s.last[0]);
  CHECK(answer.to == RequestId{7});
  CHECK(answer.ok);
  const Finished finished = std::get<Finished>(s.last[1]);
  CHECK(finished.exit_status == 0);
  CHECK(finished.why == "stopped as asked");
  CHECK(s.phase() == "finished");
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

TEST_CASE("a worker that overstays the stop timeout is killed") {
  Story s = serving(Policy{.drain_timeout = 50s, .stop_timeout = 10s});
  s.happens(StopAsked{nobody});
  s.passes(10s - 1ns);
  CHECK(s.last.empty());
  s.passes(1ns);
  CHECK(the<Kill>(s.last).worker == s.newest());
  CHECK(none<Finished>(s.last));  // not before it is gone
  s.exits(s.newest(), 137);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("an infinite stop timeout waits, a stop timeout of zero does not") {
  Policy policy;
  SUBCASE("infinite") {
    policy.stop_timeout = infinity;
    Story s = serving(policy);
    s.happens(StopAsked{nobody});
    CHECK(s.supervisor.next_deadline() == no_deadline);
    s.exits(s.newest(), 0);
    CHECK(the<Finished>(s.last).exit_status == 0);
  }
  SUBCASE("zero") {
    policy.stop_timeout = 0s;
    Story s = serving(policy);
    s.happens(StopAsked{nobody});
    CHECK(the<Drain>(s.last).worker == s.newest());
    s.passes(0s);
    CHECK(the<Kill>(s.last).worker == s.newest());
  }
}

TEST_CASE("a stop shortens the time of what drains already, and never lengthens it") {
  Story s = serving(Policy{.drain_timeout = 60s, .stop_timeout = 10s});
  const WorkerId first = s.newest();
  s.reloads();
  const WorkerId second = s.newest();
  s.passes(55s);
  s.reloads();
  REQUIRE(s.deadline(first) == s.now + 5s);
  REQUIRE(s.deadline(second) == s.now + 60s);
  s.happens(StopAsked{nobody});
  CHECK(the<Drain>(s.last).worker == s.newest());  // the others know
  CHECK(s.deadline(first) == s.now + 5s);
  CHECK(s.deadline(second) == s.now + 10s);
  CHECK(s.deadline(s.newest()) == s.now + 10s);
}

TEST_CASE("a stop tells a replacement that is still starting, too") {
  Story s = serving(Policy{.stop_timeout = 10s});
  s.exits(s.newest());
  s.passes(100ms);
  REQUIRE(s.state(s.newest()) == "starting");
  s.happens(StopAsked{nobody});
  CHECK(the<Drain>(s.last).worker == s.newest());
  CHECK(s.deadline(s.newest()) == s.now + 10s);
}

TEST_CASE("a stop waits for who is killed already without asking for more") {
  Story s = serving(Policy{.drain_timeout = 0s});
  const WorkerId old = s.newest();
  s.reloads();
  s.passes(0s);
  REQUIRE(s.state(old) == "killed");
  s.happens(StopAsked{nobody});
  CHECK(s.deadline(old) == no_deadline);
  s.exits(s.newest(), 0);
  CHECK(none<Finished>(s.last));
  CHECK(s.supervisor.next_deadline() == no_deadline);
  s.exits(old, 137);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("a stop puts an end to an infinite drain") {
  Story s = serving(Policy{.drain_timeout = infinity, .stop_timeout = 10s});
  const WorkerId old = s.newest();
  s.reloads();
  s.happens(StopAsked{nobody});
  CHECK(s.deadline(old) == s.now + 10s);
}

TEST_CASE("a second stop kills at once what is left, and a third has nothing to do") {
  Story s = serving(Policy{.workers = 3});
  s.happens(StopAsked{RequestId{7}});
  s.exits(s.newest(0), 0);
  s.happens(StopAsked{RequestId{8}});
  CHECK(only<Kill>(s.last).size() == 2);
  CHECK(s.last.size() == 2);
  s.happens(StopAsked{RequestId{9}});
  CHECK(s.last.empty());
  s.exits(s.newest(1), 137);
  CHECK(s.last.empty());
  s.exits(s.newest(2), 137);

  // Each asker has one answer, right before the end.
  REQUIRE(s.last.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) {
    const Answer answer = std::get<Answer>(s.last[i]);
    CHECK(answer.to == RequestId{7 + i});
    CHECK(answer.ok);
    CHECK(answer.why == "stopped as asked");
  }
  CHECK(std::get<Finished>(s.last[3]).exit_status == 0);
}

TEST_CASE("a stop with nothing started is over at once") {
  Story s;
  s.happens(StopAsked{RequestId{7}});
  REQUIRE(s.last.size() == 2);
  CHECK(the<Answer>(s.last).ok);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("a stop while a reload is prepared fails the reload and drains the serving worker") {
  Story s = serving(Policy{.ready_timeout = 5s});
  const WorkerId worker = s.newest();
  s.happens(ReloadAsked{RequestId{7}});
  s.happens(StopAsked{RequestId{8}});
  CHECK(the<Abandon>(s.last).generation == GenerationId{2});
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK_FALSE(the<Answer>(s.last).ok);
  CHECK(the<Answer>(s.last).why == "graced is stopping");
  CHECK(the<Drain>(s.last).worker == worker);

  s.happens(Prepared{GenerationId{2}, {}});  // too late
  CHECK(s.last.empty());
  s.passes(5s);
  CHECK(s.last.empty());
  s.exits(worker, 0);
  CHECK(the<Answer>(s.last).to == RequestId{8});
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("a stop in the middle of a rollout drains both generations") {
  Story s = serving(Policy{.workers = 2, .stop_timeout = 10s});
  s.happens(ReloadAsked{RequestId{7}});
  s.prepared(Policy{.workers = 2, .drain_timeout = 3s});
  s.happens(WorkerReady{s.newest(0)});
  s.happens(StopAsked{nobody});
  CHECK(the<Abandon>(s.last).generation == GenerationId{2});
  CHECK(only<Drain>(s.last).size() == 4);
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK(s.deadline(WorkerId{1}) == s.now + 10s);
  CHECK(s.deadline(WorkerId{3}) == s.now + 3s);  // its own patience was shorter

  s.happens(WorkerReady{s.newest(1)});  // the last of the candidate, too late
  CHECK(s.last.empty());
  s.everybody_exits();
  CHECK(s.last.size() == 1);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("a stop during the first start is a stop as asked, not a failure") {
  Story s;
  s.happens(ReloadAsked{RequestId{7}});

  SUBCASE("while it is prepared") {
    s.happens(StopAsked{nobody});
    CHECK(the<Abandon>(s.last).generation == GenerationId{1});
  }
  SUBCASE("while its worker starts") {
    s.prepared();
    s.happens(StopAsked{nobody});
    CHECK(the<Abandon>(s.last).generation == GenerationId{1});
    CHECK(the<Drain>(s.last).worker == s.newest());
    CHECK(s.phase() == "stopping");
    CHECK_FALSE(the<Answer>(s.last).ok);
    s.exits(s.newest(), 0);
  }
  CHECK(the<Finished>(s.last).exit_status == 0);
  CHECK(the<Finished>(s.last).why == "stopped as asked");
}

TEST_CASE("a stop refuses the queued reload, everybody who waits for it included") {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{7}});
  s.happens(ReloadAsked{RequestId{8}});
  s.happens(ReloadAsked{nobody});
  s.happens(ReloadAsked{RequestId{9}});
  s.happens(StopAsked{nobody});
  const std::vector<Answer> answers = only<Answer>(s.last);
  REQUIRE(answers.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(answers[i].to == RequestId{7 + i});
    CHECK_FALSE(answers[i].ok);
    CHECK(answers[i].why == "graced is stopping");
  }
  CHECK_FALSE(s.supervisor.status().reload_queued);
  s.everybody_exits();
  CHECK(s.last.size() == 1);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("a stop in the quiet after a burst of SIGHUPs starts no reload any more") {
  Story s = serving();
  s.happens(ReloadAsked{nobody});
  s.prepared();
  s.happens(ReloadAsked{nobody});
  s.candidate_becomes_ready();
  s.happens(StopAsked{nobody});
  s.passes(1s);
  CHECK(none<Prepare>(s.last));
}

TEST_CASE("a reload asked while graced stops is refused at once") {
  Story s = serving();
  s.happens(StopAsked{nobody});
  s.happens(ReloadAsked{RequestId{7}});
  CHECK(s.last.size() == 1);
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK_FALSE(the<Answer>(s.last).ok);
  CHECK(the<Answer>(s.last).why == "graced is stopping");
  s.happens(ReloadAsked{nobody});
  CHECK(s.last.empty());
}

TEST_CASE("a stop while a worker waits for its replacement starts nobody any more") {
  Story s = serving();
  s.exits(s.newest());
  s.happens(StopAsked{nobody});
  CHECK(the<Finished>(s.last).exit_status == 0);
  CHECK(s.supervisor.next_deadline() == no_deadline);
}

TEST_CASE("workers that exit while graced stops are not replaced, and are no failure") {
  Story s = serving(Policy{.workers = 2, .start_limit = 0});
  s.happens(StopAsked{nobody});
  s.exits(s.newest(0), 1);
  CHECK(s.last.empty());
  CHECK(s.supervisor.status().next_restart == std::nullopt);
  s.exits(s.newest(1), 1);
  CHECK(the<Finished>(s.last).exit_status == 0);
}

TEST_CASE("STOPPING=1 of a worker told to leave is what was asked for") {
  Story s = serving();
  s.happens(StopAsked{nobody});
  const Instant deadline = s.deadline(s.newest());
  s.passes(1s);
  s.happens(WorkerStopping{s.newest()});
  CHECK(s.last.empty());
  CHECK(s.deadline(s.newest()) == deadline);
}

TEST_CASE("STOPPING=1 of an old worker that drains gives it no second chance") {
  Story s = serving();
  const WorkerId old = s.newest();
  s.reloads();
  const Instant deadline = s.deadline(old);
  s.passes(1s);
  s.happens(WorkerStopping{old});
  CHECK(s.deadline(old) == deadline);
  CHECK(s.supervisor.status().next_restart == std::nullopt);
}

TEST_CASE("somebody who asks for a stop while graced gives up has an answer, and the exit status stays") {
  Story s = serving(Policy{.workers = 2, .start_limit = 0});
  s.exits(s.newest(0));
  REQUIRE(s.phase() == "stopping");
  s.happens(StopAsked{RequestId{7}});
  CHECK(the<Kill>(s.last).worker == s.newest(1));
  s.exits(s.newest(1), 137);
  CHECK(the<Answer>(s.last).to == RequestId{7});
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("the hammer during a stop does not wait either") {
  Story s = serving(Policy{.workers = 2});
  s.happens(StopAsked{nobody});
  s.happens(HammerAsked{});
  CHECK(only<Kill>(s.last).size() == 2);
}

TEST_CASE("a stop is timed by the policy of the generation that serves") {
  Story s = serving(Policy{.stop_timeout = 10s});
  s.reloads(Policy{.stop_timeout = 3s});
  s.happens(StopAsked{nobody});
  CHECK(s.supervisor.next_deadline() == s.now + 3s);
}

}  // namespace graced
