#include "supervisor_situations.h"

#include "state/core_state.h"

namespace graced {

namespace {

Story on_probation() {
  Story s = serving({.workers = 2});
  s.happens(ReloadAsked{RequestId{7}, true});
  s.prepared({.workers = 2, .probation = 10min});
  s.candidate_becomes_ready();
  s.passes(8min);
  REQUIRE(s.supervisor.status().probation.has_value());
  return s;
}

Story on_canary() {
  Story s = serving();
  const ProbeRule probe{.what = "GET http://127.0.0.1:8080/healthz", .while_serving = 10s};
  s.happens(ReloadAsked{RequestId{3}});
  s.prepared({.probes = {probe}, .canary = {{50, 30s}, {250, 2min}}, .gated = true});
  s.candidate_becomes_ready();
  s.happens(ProbePassed{s.preparing, 0});
  s.passes(30s);
  s.happens(GatePassed{s.preparing, 1});
  s.passes(5s);
  REQUIRE(s.supervisor.status().canary->step == 2);
  return s;
}

Story at_gate() {
  Story s = serving();
  s.happens(ReloadAsked{RequestId{3}});
  s.prepared({.canary = {{50, 30s}}, .gated = true});
  s.candidate_becomes_ready();
  s.passes(30s);
  REQUIRE(s.supervisor.status().canary->until == no_deadline);
  return s;
}

// Told by signal, retired with connections, and told after that.
Story draining_three_generations() {
  Story s = serving({.drain = DrainRule::idle, .drain_timeout = 60s, .drain_idle = 20s});
  s.reloads({.drain = DrainRule::idle, .drain_timeout = infinity});
  s.passes(10s);
  s.reloads({.workers = 2, .settle = 200ms});
  s.passes(1s);
  s.reloads({.workers = 2, .settle = 200ms});
  s.passes(46s);
  REQUIRE(s.supervisor.status().workers.size() == 6);
  return s;
}

Story in_backoff() {
  Story s = serving({.workers = 2});
  for (int crash = 0; crash < 3; ++crash) {
    s.exits(s.newest(1));
    s.passes(s.supervisor.next_deadline() - s.now);
    s.happens(WorkerReady{s.newest(1)});
  }
  s.exits(s.newest(1), 139);
  REQUIRE(s.supervisor.status().next_restart.has_value());
  return s;
}

// Two of four serve, and the old ones of their slots leave.
Story half_way_in_batches() {
  Story s = serving({.workers = 4});
  s.happens(ReloadAsked{RequestId{2}});
  s.prepared({.workers = 4, .max_surge = {2}});
  s.candidate_becomes_ready();
  s.passes(3s);
  REQUIRE(s.supervisor.status().surge->serve == 1);
  return s;
}

// The second batch has failed: those who made room are to be started again as there is room.
Story batches_have_failed() {
  Story s = half_way_in_batches();
  s.exits(s.newest(1));
  REQUIRE(s.supervisor.status().missing == 1);
  return s;
}

Story with_survivors() {
  Story s;
  s.happens(SurvivorsFound{});
  s.reloads();
  s.passes(5s);
  REQUIRE(s.supervisor.status().survivors->state == WorkerState::draining);
  return s;
}

// A server that ran before has got its successor, and finishes what it has.
Story taken_over() {
  Story s;
  s.happens(TakenFound{true});
  s.reloads({.workers = 2, .drain = DrainRule::idle});
  s.passes(5s);
  REQUIRE(s.supervisor.status().taken->state == WorkerState::retiring);
  return s;
}

Story asked_to_stop() {
  Story s = serving({.workers = 2, .drain = DrainRule::idle});
  s.reloads({.workers = 2, .stop_timeout = 20s});
  s.happens(StopAsked{RequestId{9}});
  s.passes(2s);
  REQUIRE(s.phase() == "stopping");
  return s;
}

// Its probe fails, and another one of the same is tried for the second time.
Story ailing() {
  const ProbeRule probe{.what = "GET http://127.0.0.1:8080/healthz", .fails = 2, .while_serving = 1s};
  Story s;
  s.happens(ReloadAsked{nobody});
  s.prepared({.probes = {probe}});
  s.candidate_becomes_ready();
  s.happens(ProbePassed{s.preparing, 0});
  const GenerationId serves = s.serving_generation();
  for (int look = 0; look < 2; ++look) {
    s.passes(1s);
    s.happens(ProbeFailed{serves, 0, "503 Service Unavailable"});
  }
  s.passes(1s);
  s.happens(PreparationFailed{s.preparing, "/srv/app: No such file or directory"});
  REQUIRE(s.supervisor.status().next_replacement != no_deadline);
  return s;
}

Story reloading_with_queue() {
  Story s = serving({.workers = 2});
  s.happens(ReloadAsked{nobody});
  s.prepared({.workers = 2, .ready_timeout = infinity});
  s.happens(WorkerReady{s.newest(0)});
  s.happens(ReloadAsked{RequestId{4}});
  s.happens(ReloadAsked{RequestId{5}, true});
  REQUIRE(s.supervisor.status().reload_queued);
  return s;
}

Story rolled_back() {
  Story s = on_probation();
  s.happens(WorkerGone{s.newest(0), {"killed by SIGSEGV", 139, 11}, true});
  REQUIRE(s.supervisor.status().rollbacks == 1);
  return s;
}

Story starting() {
  Story s;
  s.happens(ReloadAsked{nobody});
  s.prepared({.workers = 3, .ready = ReadyRule::after, .ready_after = 5s, .restart = RestartRule::on_failure});
  return s;
}

// What has been said, half a line and half a character of it besides.
Situation with_history() {
  Situation s{"history-and-output", serving({.workers = 2}).supervisor};
  const std::chrono::system_clock::time_point began{std::chrono::hours(24 * 365 * 56)};
  s.history.add({.kind = InstanceEvent::Kind::serving,
                 .at = began,
                 .monotonic = Instant{1h},
                 .generation = 1,
                 .serving = 1,
                 .by = {.how = "start"},
                 .took = 250ms,
                 .stages = {.prepare = 1ms, .check = {}, .start = 249ms, .probe = {}, .canary = {}}});
  s.history.add({.kind = InstanceEvent::Kind::crashed,
                 .at = began + 60s,
                 .monotonic = Instant{1h + 60s},
                 .generation = 1,
                 .serving = 1,
                 .by = {.how = "crash"},
                 .ok = false,
                 .worker = 1,
                 .worker_pid = 4711,
                 .signal = "SIGSEGV",
                 .lived = 59s,
                 .reason = "killed by SIGSEGV\nthe last words, of which \xff is no UTF-8"});
  s.history.add({.kind = InstanceEvent::Kind::reload_failed,
                 .at = began + 90s,
                 .monotonic = Instant{1h + 90s},
                 .generation = 2,
                 .serving = 1,
                 .by = {.how = "control", .user = 0, .pid = 812, .program = "deploy"},
                 .ok = false,
                 .took = 30s,
                 .status = 3,
                 .reason = "not ready within 30s"});
  s.output.begin(1);
  s.output.begin(2);
  s.output.add(began, {.generation = 1, .worker = 0, .pid = 4710}, {"listening on 127.0.0.1:8080"});
  s.output.add(began + 1s, {.generation = 2, .worker = {}, .pid = 4800, .at_stderr = true},
               {"a tab\t, \"quotes\" and Größe"});
  s.output.add(began + 2s, {.generation = 1, .worker = 1, .pid = 4711, .at_stderr = true}, {"\xff\xfe", true});
  s.output.failed(2);
  static_cast<void>(s.lines.feed("whole\nhalf of a li"));
  static_cast<void>(s.lines.take_unfinished());
  static_cast<void>(s.lines.feed("ne, and"));
  static_cast<void>(s.pieces.cut("so far \xe2\x82"));
  return s;
}

}  // namespace

std::vector<Situation> situations() {
  return {
      {"starting", starting().supervisor},
      {"serving", serving({.workers = 2}).supervisor},
      {"reloading-with-queue", reloading_with_queue().supervisor},
      {"probation", on_probation().supervisor},
      {"rolled-back", rolled_back().supervisor},
      {"canary-step-2", on_canary().supervisor},
      {"canary-at-gate", at_gate().supervisor},
      {"draining-three-generations", draining_three_generations().supervisor},
      {"backoff-after-crashes", in_backoff().supervisor},
      {"batches-half-way", half_way_in_batches().supervisor},
      {"batches-failed", batches_have_failed().supervisor},
      {"ailing", ailing().supervisor},
      {"survivors", with_survivors().supervisor},
      {"taken-over", taken_over().supervisor},
      {"stop-asked", asked_to_stop().supervisor},
      with_history(),
  };
}

std::string written(const Situation& s, std::string_view version) {
  StateWriter state(version);
  add_to(state, "core", s.core);
  add_to(state, "history", s.history);
  add_to(state, "output", s.output);
  add_to(state, "lines", s.lines);
  add_to(state, "pieces", s.pieces);
  return state.text();
}

Situation read_situation(std::string name, const StateReader& state) {
  Situation s{std::move(name), Supervisor{Policy{}}};
  read_from(state, "core", s.core);
  read_from(state, "history", s.history);
  read_from(state, "output", s.output);
  read_from(state, "lines", s.lines);
  read_from(state, "pieces", s.pieces);
  return s;
}

}  // namespace graced
