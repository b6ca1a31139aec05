// Reloads whose workers come in batches: --max-surge.
#include "core/batches.h"
#include "core/story.h"
#include "supervisor_story.h"

namespace graced {

namespace {

Policy in_batches(unsigned workers, unsigned batch) {
  Policy p;
  p.workers = workers;
  p.max_surge = {batch};
  return p;
}

// As the candidate's workers are started, so all that are starting become ready.
void the_batch_becomes_ready(Story& s) {
  s.candidate_becomes_ready();
}

// A reload is asked for, and the first batch is started.
Story reloading(const Policy& policy, RequestId by = nobody) {
  Story s = serving(policy);
  s.happens(ReloadAsked{by});
  s.prepared();
  return s;
}

std::vector<WorkerId> working(const Story& s, GenerationId generation) {
  std::vector<WorkerId> found;
  for (const WorkerStatus& w : s.supervisor.status().workers) {
    const bool works = w.state == WorkerState::starting || w.state == WorkerState::ready;
    if (w.generation == generation && works) found.push_back(w.worker);
  }
  return found;
}

constexpr GenerationId old_one{1};
constexpr GenerationId new_one{2};

}  // namespace

TEST_CASE("a part of the workers is rounded up, and is one at least") {
  CHECK(MaxSurge{}.of(7) == 7);
  CHECK(MaxSurge{3}.of(7) == 3);
  CHECK(MaxSurge{9}.of(7) == 7);
  CHECK(MaxSurge{25, true}.of(32) == 8);
  CHECK(MaxSurge{25, true}.of(7) == 2);
  CHECK(MaxSurge{1, true}.of(7) == 1);
  CHECK(MaxSurge{100, true}.of(7) == 7);
}

TEST_CASE("a reload in batches never has more workers than one generation and one batch") {
  Story s = reloading(in_batches(5, 2), RequestId{7});
  std::size_t most = 0;
  unsigned batches = 0;
  while (s.serving_generation() == old_one) {
    most = std::max(most, s.supervisor.status().workers.size());
    the_batch_becomes_ready(s);
    ++batches;
    if (s.serving_generation() == new_one) break;
    const Join joined = the<Join>(s.last);
    CHECK(joined.candidate == new_one);
    CHECK(joined.replaced.size() == 2);
    CHECK(only<Drain>(s.last).size() == 2);
    CHECK(none<Spawn>(s.last));
    s.exits(joined.replaced[0], 0);
    CHECK(none<Spawn>(s.last) == (batches == 1));  // the last batch is one worker: there is room for it
    s.exits(joined.replaced[1], 0);
  }
  CHECK(batches == 3);
  CHECK(most == 7);
  CHECK(s.serving().size() == 5);
  CHECK(the<Answer>(s.last).ok);
  CHECK(the<Switch>(s.last).to == new_one);
  CHECK(s.supervisor.status().reloads == 1);
}

TEST_CASE("the first start, and as many at a time as there are, are all at once") {
  Story s = reloading(in_batches(3, 3));
  CHECK(s.spawns.size() == 6);
  the_batch_becomes_ready(s);
  CHECK(the<Switch>(s.last).to == new_one);
}

TEST_CASE("while batches come both generations serve, and nobody is missing") {
  Story s = reloading(in_batches(4, 1));
  CHECK(s.phase() == "reloading");
  the_batch_becomes_ready(s);
  const Status status = s.supervisor.status();
  CHECK(s.phase() == "reloading");
  CHECK(status.workers_ready == 4);
  CHECK(status.workers_asked == 4);
  REQUIRE(status.surge);
  CHECK(status.surge->serve == 1);
  CHECK(status.surge->batches == 4);
  CHECK(!status.surge->under_way);
  CHECK(story_of(status) ==
        "generation 1 serves with 4 workers, 1 of 4 batches of generation 2 serve, the next one waits until 1 "
        "worker "
        "has left, 1 draining");
}

TEST_CASE("a batch waits for those who still drain from the reload before") {
  Story s = serving(in_batches(2, 1));
  s.happens(ReloadAsked{});
  s.prepared();
  the_batch_becomes_ready(s);
  s.exits(WorkerId{1}, 0);
  the_batch_becomes_ready(s);
  CHECK(s.serving_generation() == new_one);
  CHECK(s.state(WorkerId{2}) == "draining");

  s.happens(ReloadAsked{});
  s.prepared();
  CHECK(none<Spawn>(s.last));
  s.exits(WorkerId{2}, 0);
  CHECK(the<Spawn>(s.last).generation == GenerationId{3});
}

TEST_CASE("only the first batch is probed") {
  Policy policy = in_batches(2, 1);
  policy.probes.push_back({.what = "a look"});
  Story s = serving(in_batches(2, 1));
  s.happens(ReloadAsked{});
  s.prepared(policy);
  the_batch_becomes_ready(s);
  CHECK(the<Probe>(s.last).generation == new_one);
  CHECK(none<Join>(s.last));
  s.happens(ProbePassed{new_one, 0});
  CHECK(the<Join>(s.last).replaced.size() == 1);
  s.exits(WorkerId{1}, 0);
  the_batch_becomes_ready(s);
  CHECK(none<Probe>(s.last));
  CHECK(the<Switch>(s.last).to == new_one);
}

TEST_CASE("the first batch is the canary, and the others follow it") {
  Policy policy = in_batches(3, 1);
  policy.canary = {{100, 30s}};
  Story s = reloading(policy, RequestId{7});
  the_batch_becomes_ready(s);
  CHECK(the<Share>(s.last).per_mille == 100);
  CHECK(none<Join>(s.last));
  CHECK(none<Drain>(s.last));
  s.passes(30s);
  CHECK(the<Join>(s.last).replaced == std::vector{WorkerId{1}});
  s.exits(WorkerId{1}, 0);
  the_batch_becomes_ready(s);
  CHECK(none<Share>(s.last));
  CHECK(the<Join>(s.last).replaced == std::vector{WorkerId{2}});
  s.exits(WorkerId{2}, 0);
  the_batch_becomes_ready(s);
  CHECK(the<Switch>(s.last).to == new_one);
}

TEST_CASE("a first batch that fails as a canary has replaced nobody") {
  Policy policy = in_batches(3, 1);
  policy.canary = {{100, 30s}};
  Story s = reloading(policy, RequestId{7});
  the_batch_becomes_ready(s);
  s.exits(s.newest());
  CHECK(the<Share>(s.last).per_mille == 0);
  CHECK(!the<Answer>(s.last).ok);
  CHECK(none<Spawn>(s.last));
  CHECK(working(s, old_one).size() == 3);
}

TEST_CASE("a batch that fails leaves as many old workers as before") {
  Story s = reloading(in_batches(4, 2), RequestId{7});
  the_batch_becomes_ready(s);
  for (const WorkerId gone : the<Join>(s.last).replaced) s.exits(gone, 0);
  const std::vector<WorkerId> news = working(s, new_one);
  REQUIRE(news.size() == 4);

  s.exits(news[3]);
  CHECK(the<Abandon>(s.last).generation == new_one);
  CHECK(!the<Answer>(s.last).ok);
  CHECK(only<Drain>(s.last).size() == 3);
  CHECK(s.status(news[2]).thrown_away);
  CHECK(!s.status(news[0]).thrown_away);   // it had connections
  CHECK(only<Spawn>(s.last).size() == 1);  // there is room for one
  CHECK(s.phase() == "degraded");
  s.exits(news[2], 0);
  CHECK(the<Spawn>(s.last).generation == old_one);

  for (const WorkerId w : working(s, old_one)) s.happens(WorkerReady{w});
  CHECK(s.serving().size() == 4);
  CHECK(s.phase() == "serving");
  CHECK(s.supervisor.status().failed_reloads == 1);
  CHECK(s.supervisor.status().restarts == 0);
}

TEST_CASE("a new worker that exits while it serves beside the old ones fails the reload") {
  Story s = reloading(in_batches(3, 1));
  the_batch_becomes_ready(s);
  const WorkerId joined = working(s, new_one).front();
  s.exits(joined);
  CHECK(the<Abandon>(s.last).why == "worker 0 of 3: exited with status 1");
  s.exits(WorkerId{1}, 0);
  CHECK(working(s, old_one).size() == 3);
}

TEST_CASE("an old worker whose place is about to be taken is not started again") {
  Policy policy = in_batches(3, 1);
  policy.ready_timeout = 1h;
  Story s = reloading(policy);
  s.exits(WorkerId{1});
  CHECK(s.lost.front().replaced);  // by the one that starts
  s.passes(1min);
  CHECK(working(s, old_one).size() == 2);
  CHECK(s.phase() == "degraded");
  s.happens(AbortAsked{"somebody"});
  CHECK(the<Spawn>(s.last).slot == 0);
}

TEST_CASE("an old worker of a later batch is started again, as it was") {
  Story s = reloading(in_batches(3, 1));
  s.exits(WorkerId{3});
  s.passes(1s);
  CHECK(the<Spawn>(s.last).generation == old_one);
  CHECK(the<Spawn>(s.last).slot == 2);
}

TEST_CASE("a stop in between ends both generations") {
  Story s = reloading(in_batches(3, 1), RequestId{7});
  the_batch_becomes_ready(s);
  s.happens(StopAsked{RequestId{8}});
  CHECK(only<Drain>(s.last).size() == 3);  // one was told already
  s.everybody_exits();
  CHECK(the<Finished>(s.last).exit_status == 0);
  CHECK(none<Spawn>(s.last));
}

TEST_CASE("an abort in between has the old workers serve again") {
  Story s = reloading(in_batches(3, 1), RequestId{7});
  the_batch_becomes_ready(s);
  s.happens(AbortAsked{"somebody"});
  CHECK(the<Abandon>(s.last).why == "aborted by somebody");
  s.exits(WorkerId{1}, 0);
  CHECK(working(s, old_one).size() == 3);
}

TEST_CASE("a second reload in between is the next one") {
  Story s = reloading(in_batches(2, 1));
  the_batch_becomes_ready(s);
  s.happens(ReloadAsked{RequestId{9}});
  CHECK(none<Prepare>(s.last));
  s.exits(WorkerId{1}, 0);
  the_batch_becomes_ready(s);
  CHECK(the<Prepare>(s.last).generation == GenerationId{3});
}

TEST_CASE("a generation that has made room cannot come back") {
  Policy policy = in_batches(2, 1);
  policy.drain = DrainRule::idle;
  Story s = reloading(policy);
  the_batch_becomes_ready(s);
  s.happens(RollbackAsked{"somebody"});
  CHECK(s.last.empty());
  s.exits(WorkerId{1}, 0);
  the_batch_becomes_ready(s);
  CHECK(the<Retire>(s.last).worker == WorkerId{2});
  CHECK(!s.supervisor.status().rollback_to);
  s.happens(RollbackAsked{"somebody"});
  CHECK(s.last.empty());
}

TEST_CASE("a batch does not begin while somebody stands by") {
  Policy kept;
  kept.workers = 2;
  kept.probation = 10s;
  Story s = serving(kept);
  s.reloads();
  s.happens(ReloadAsked{});
  s.prepared(in_batches(2, 1));
  CHECK(none<Spawn>(s.last));
  s.passes(10s);
  CHECK(none<Spawn>(s.last));
  s.exits(WorkerId{1}, 0);
  s.exits(WorkerId{2}, 0);
  CHECK(the<Spawn>(s.last).generation == GenerationId{3});
}

TEST_CASE("with an idle drain the old ones of a batch are retired first") {
  Policy policy = in_batches(2, 1);
  policy.drain = DrainRule::idle;
  Story s = reloading(policy);
  the_batch_becomes_ready(s);
  CHECK(the<Retire>(s.last).worker == WorkerId{1});
  s.happens(WorkerIdle{WorkerId{1}});
  CHECK(the<Drain>(s.last).worker == WorkerId{1});
}

TEST_CASE("fewer workers than before: those that are left over go with the last batch") {
  Story s = serving(in_batches(5, 1));
  s.happens(ReloadAsked{});
  s.prepared(in_batches(2, 1));
  the_batch_becomes_ready(s);
  CHECK(the<Join>(s.last).replaced == std::vector{WorkerId{1}});
  s.exits(WorkerId{1}, 0);
  the_batch_becomes_ready(s);
  CHECK(only<Drain>(s.last).size() == 4);
  CHECK(s.serving().size() == 2);
}

TEST_CASE(
    "who is missing after a batch that failed is started though there is no room, where nobody else serves") {
  Policy two = in_batches(2, 1);
  two.restart = RestartRule::never;
  Story s = reloading(two);
  the_batch_becomes_ready(s);
  const WorkerId other = s.serving().back();
  s.happens(AbortAsked{"root (PID 812)"});
  REQUIRE(s.supervisor.status().missing == 1);
  s.exits(other, 0);
  CHECK(the<Spawn>(s.last).generation == old_one);
  CHECK(s.supervisor.status().phase != Phase::stopping);
}

TEST_CASE(
    "a rollback to a generation that has had a batch fail beside it brings one worker back for each place") {
  Policy idle = in_batches(2, 1);
  idle.drain = DrainRule::idle;
  Story s = reloading(idle);
  the_batch_becomes_ready(s);  // its first worker retires
  const WorkerId candidate = s.newest();
  s.happens(AbortAsked{"root (PID 812)"});
  s.happens(WorkerIdle{candidate});
  s.exits(candidate, 0);
  the_batch_becomes_ready(s);
  s.reloads(Policy{});
  s.happens(RollbackAsked{"root (PID 812)"});
  CHECK(s.serving_generation() == old_one);
  CHECK(only<Return>(s.last).size() == 2);
  CHECK(working(s, old_one).size() == 2);
}

}  // namespace graced
