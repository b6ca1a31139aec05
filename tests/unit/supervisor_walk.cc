// Where the walk turns, and what must be so when it ends.
#include "supervisor_walk.h"

#include <fmt/format.h>

#include <algorithm>

#include "supervisor_story.h"

namespace graced {

Walk::Walk(std::uint64_t seed, Tally& tally)
    : random_(seed),
      tally_(tally),
      faults_(any({2u, 5u, 20u})),
      hardy_(one_in(2)),
      survivors_stay_(one_in(2)),
      watched_(one_in(4)),
      first_(any_policy()),
      core_(first_),
      witness_(first_, tally),
      twin_(seed, tally) {}

Policy Walk::any_policy() {
  Policy p;
  p.workers = any({1u, 1u, 2u, 3u, 4u});
  p.ready =
      any({ReadyRule::automatic, ReadyRule::automatic, ReadyRule::notify, ReadyRule::listen, ReadyRule::after});
  p.ready_after = any<Duration>({0s, 10ms, 1s});
  p.ready_timeout = any<Duration>({0s, 5ms, 1s, 30s, 30s, 30s, 30s, infinity});
  for (unsigned probes = watched_ ? 1 : any({0u, 0u, 0u, 1u, 1u, 2u}); probes > 0; --probes) {
    p.probes.push_back({.what = fmt::format("look {}", probes),
                        .start_delay = any<Duration>({0s, 0s, 5ms, 1s}),
                        .interval = any<Duration>({0s, 5ms, 1s}),
                        .passes = any({1u, 1u, 2u}),
                        .fails = any({1u, 2u, 3u}),
                        .while_serving = any<std::optional<Duration>>({std::nullopt, 0s, 5ms, 1s})});
    if (watched_)
      p.probes.back() = {
          .what = "a look", .fails = any({1u, 2u}), .while_serving = any<Duration>({0s, 5ms, 1s})};
  }
  for (unsigned steps = any({0u, 0u, 0u, 1u, 2u, 3u}); steps > 0; --steps)
    p.canary.push_back({.per_mille = static_cast<unsigned>(p.canary.size()) + any({1u, 50u, 900u}),
                        .time = any<Duration>({1ms, 1s, 1min})});
  p.gated = one_in(2);
  p.drain = any({DrainRule::signal, DrainRule::idle});
  p.settle = any<Duration>({0s, 0s, 5ms, 200ms});
  p.probation = any<Duration>({0s, 0s, 5ms, 1s, 60s, 60s});
  if (p.probation == 0s) p.max_surge = any<MaxSurge>({{}, {}, {1}, {2}, {50, true}});  // not to be had together
  p.last_call = any<Duration>({0s, 1ms, 1s});
  p.drain_grace = any<Duration>({0s, 5ms, 5s});
  p.drain_idle = any<Duration>({infinity, infinity, 0s, 1s});
  p.stop_idle = any<Duration>({0s, 5s, infinity});
  p.drain_timeout = any<Duration>({0s, 5ms, 1s, 60s, 60s, infinity});
  p.stop_timeout = any<Duration>({0s, 5ms, 1s, 30s, 30s, infinity});
  p.max_draining = any({1u, 2u, 3u, 8u});
  p.max_draining_grace = 0s;  // the witness knows limits, not who is near one
  p.restart = any({RestartRule::always, RestartRule::always, RestartRule::on_failure, RestartRule::never});
  p.restart_delay = any<Duration>({0s, 1ms, 100ms, 1s});
  p.restart_delay_limit = any<Duration>({0s, 200ms, 30s, infinity});
  p.restart_delay_reset = any<Duration>({0s, 1s, 10s, infinity});
  p.start_limit = any({0u, 1u, 3u, 10u, 100u});
  p.start_limit_window = any<Duration>({10ms, 1s, 60s, infinity});
  if (hardy_) {
    p.restart = RestartRule::always;
    p.start_limit = 1000;
  }
  return p;
}

// A replacement is another one of the same.
Policy Walk::candidates_policy() {
  return witness_.replaces() ? witness_.serving_policy() : any_policy();
}

// Mostly one of those, if there is any; else any other; now and then one that nobody knows.
template <class Which>
WorkerId Walk::any_worker(Which which) {
  std::vector<WorkerId> those, all;
  for (const auto& [id, p] : witness_.processes()) {
    all.push_back(id);
    if (which(p)) those.push_back(id);
  }
  if (!those.empty() && !one_in(faults_)) return those[random_() % those.size()];
  if (!all.empty() && !one_in(12)) return all[random_() % all.size()];
  return WorkerId{random_() % (all.empty() ? 3 : all.back().value + 3)};
}

RequestId Walk::any_asker() {
  return one_in(2) ? nobody : RequestId{++last_asker_};
}

Exit Walk::any_exit() {
  return any<Exit>({{"exited with status 0", 0}, {"exited with status 1", 1}, {"killed by SIGKILL", 137}});
}

void Walk::tell(const Event& event) {
  const Status before = core_.status();
  said_.push_back({now_, event, core_.handle(event, now_)});
  if (said_.size() > 40) said_.pop_front();
  witness_.sees(event, now_, before, said_.back().actions, core_);
  twin_.sees(event, now_, said_.back().actions, core_);
}

void Walk::run(int steps) {
  if (one_in(3)) tell(SurvivorsFound{});
  tell(ReloadAsked{any_asker()});
  if (one_in(3)) tell(TakenFound{one_in(3)});
  for (int i = 0; i < steps && !witness_.finished(); ++i) step();
  comes_to_rest();
  if (!witness_.stopping()) reloads_once_more();
  comes_to_its_end();
}

void Walk::step() {
  const auto anybody = [](const Witness::Process&) { return true; };
  const auto starting = [](const Witness::Process& p) { return p.works() && !p.is_ready; };
  const auto leaving = [](const Witness::Process& p) { return !p.works() && !p.stands_by(); };
  const auto serving = [&](const Witness::Process& p) {
    return p.works() && p.generation == witness_.serving();
  };
  const auto of_candidate = [&](const Witness::Process& p) { return p.generation == witness_.candidate(); };
  const auto standby = [](const Witness::Process& p) { return p.stands_by(); };
  const auto outlived = [](const Witness::Process& p) { return p.outlived; };
  const auto retiring = [](const Witness::Process& p) { return p.retired && !p.drained; };
  const auto generation = [&] { return GenerationId{random_() % (witness_.newest_generation().value + 2)}; };
  const auto unprepared = witness_.unprepared();
  const auto candidate = [&] {
    return one_in(12) ? generation() : witness_.candidate().value_or(GenerationId{});
  };
  const auto probe = [&] { return one_in(12) ? any({0u, 1u, 2u}) : witness_.looking().value_or(0); };

  const auto beside = [&](const Witness::Process& p) {
    return p.works() && p.generation == witness_.candidate();
  };

  // Between two batches little time passes.
  if (witness_.joined() > 0 && one_in(10)) return tell(WorkerGone{any_worker(beside), any_exit(), one_in(3)});
  if (const auto watching = witness_.watching(); watching && !one_in(3)) {
    const GenerationId serving_now = *witness_.serving();
    if (one_in(5))
      tell(ProbePassed{serving_now, *watching});
    else
      tell(ProbeFailed{serving_now, *watching, "nothing good"});
    return;
  }
  if (const auto looking = witness_.looking(); watched_ && looking && one_in(2))
    return tell(ProbePassed{*witness_.candidate(), *looking});
  if (witness_.is_canary() && one_in(20)) return tell(WorkerGone{any_worker(serving), any_exit(), one_in(3)});
  const bool ails = core_.status().next_replacement != no_deadline;
  if (ails && one_in(3)) return time_passes();

  const std::uint64_t dice = random_() % 1000;
  if (dice < 220) {
    tell(WorkerReady{any_worker(starting)});
  } else if (dice < 360) {
    tell(WorkerListening{any_worker(starting)});
  } else if (dice < 480) {
    tell(Prepared{unprepared && !one_in(12) ? *unprepared : generation(), candidates_policy()});
  } else if (dice < 490) {
    tell(PreparationFailed{unprepared && !one_in(4) ? *unprepared : generation(), "cannot be prepared"});
  } else if (dice < 555) {
    tell(WorkerGone{any_worker(leaving), any_exit(), one_in(3)});
  } else if (dice < 565) {
    tell(TreeGone{any_worker(outlived)});
  } else if (dice < 567) {
    one_in(2) ? tell(SurvivorsGone{}) : tell(TakenGone{});
  } else if (dice < 568) {
    tell(TakenIdle{});
  } else if (dice < 570) {
    tell(WorkerUnfit{any_worker(starting), "nothing listens where it should"});
  } else if (dice < 590) {
    tell(WorkerStopping{any_worker(anybody)});
  } else if (dice < 640) {
    tell(WorkerIdle{any_worker(retiring)});
  } else if (dice < 652) {
    tell(Settled{generation()});
  } else if (dice < 660) {
    tell(WorkerAsksTime{any_worker(anybody), any<Duration>({0s, 1ms, 1s, 1min, infinity})});
  } else if (dice < 760) {
    tell(ReloadAsked{any_asker(), one_in(2)});
  } else if (dice < 766) {
    tell(HammerAsked{});
  } else if (dice < 774) {
    tell(AbortAsked{"somebody"});
  } else if (dice < 780) {
    tell(RollbackAsked{"somebody"});
  } else if (dice < 781) {
    tell(StopAsked{any_asker()});
  } else if (dice < 880 && (witness_.looking() || one_in(12))) {
    if (one_in(2))
      tell(ProbePassed{candidate(), probe()});
    else
      tell(ProbeFailed{candidate(), probe(), "nothing good"});
  } else if (dice < 890 && witness_.is_canary()) {
    if (witness_.gate() && !one_in(12))
      one_in(3) ? tell(GateFailed{candidate(), *witness_.gate(), "too many errors"})
                : tell(GatePassed{candidate(), *witness_.gate()});
    else if (one_in(3))
      tell(RollbackAsked{"somebody"});
    else if (one_in(4))
      tell(WorkerGone{any_worker(serving), {"exited with status 0", 0}});
    else if (one_in(8))
      tell(ShareFailed{candidate(), "no"});
    else if (one_in(2))
      tell(GatePassed{candidate(), any({1u, 2u, 3u})});
    else
      tell(WorkerGone{any_worker(of_candidate), any_exit(), one_in(3)});
  } else if (dice < 940 && witness_.standby()) {
    if (one_in(3))
      tell(RollbackAsked{"somebody"});
    else if (one_in(2))
      tell(WorkerGone{any_worker(standby), any_exit(), one_in(3)});
    else
      tell(WorkerGone{any_worker(serving), any_exit(), one_in(3)});
  } else if (dice < 903 && core_.status().rollback_to) {
    tell(RollbackAsked{"somebody"});
  } else if (dice < 930 && witness_.joined() > 0) {
    tell(WorkerGone{one_in(2) ? any_worker(beside) : any_worker(serving), any_exit(), one_in(3)});
  } else {
    time_passes();
  }
}

void Walk::time_passes() {
  const Instant next = core_.next_deadline();
  if (one_in(3)) {  // and something else comes before the timer
    now_ += Duration(random_() % 30'000'000);
    return;
  }
  if (next != no_deadline && !one_in(4)) now_ = std::max(now_, next);
  if (one_in(6)) now_ += any<Duration>({1ns, 20ms, 1s, 2min});
  tell(TimePassed{});
}

bool Walk::helps_on() {
  if (const auto generation = witness_.unprepared()) {
    Policy policy = candidates_policy();
    if (policy.ready_timeout < 30s) policy.probes.clear();  // they may take longer
    // The looks at who serves are not answered from now on: they would never end.
    tell(Prepared{*generation, policy});
    return true;
  }
  if (const auto probe = witness_.looking(); probe && !witness_.is_canary()) {
    tell(ProbePassed{*witness_.candidate(), *probe});
    return true;
  }
  if (const auto step = witness_.gate()) {
    tell(GatePassed{*witness_.candidate(), *step});
    return true;
  }
  for (const auto& [id, p] : witness_.processes()) {
    if (p.retired && !p.drained && !p.killed) {
      tell(WorkerIdle{id});
      return true;
    }
    if (p.settles && !p.drained && !p.killed && !p.outlived) {
      tell(Settled{p.generation});
      return true;
    }
    if (p.outlived) {
      tell(TreeGone{id});
      return true;
    }
    if (p.stands_by()) continue;
    if (!p.works()) {
      tell(WorkerGone{id, any_exit(), one_in(3)});
      return true;
    }
    const ReadyRule rule = witness_.policy_of(p.generation).ready;
    if (p.is_ready || rule == ReadyRule::after) continue;
    if (rule == ReadyRule::listen)
      tell(WorkerListening{id});
    else
      tell(WorkerReady{id});
    return true;
  }
  const bool leave =
      witness_.survivors() && witness_.survivors_drained() && (!survivors_stay_ || witness_.stopping());
  if (leave && !witness_.finished()) {
    tell(SurvivorsGone{});
    return true;
  }
  if (witness_.taken_leaves() && !witness_.finished() && (!survivors_stay_ || witness_.stopping())) {
    one_in(2) && !witness_.stopping() ? tell(TakenIdle{}) : tell(TakenGone{});
    return true;
  }
  if (core_.next_deadline() == no_deadline) return false;
  now_ = std::max(now_, core_.next_deadline());
  tell(TimePassed{});
  return true;
}

void Walk::comes_to_rest() {
  for (int i = 0; helps_on(); ++i) {
    if (i > 10'000) throw BrokenPromise("it does not come to rest");
  }
  if (witness_.finished()) return;
  if (witness_.stopping()) throw BrokenPromise("it stops for ever");
  if (!witness_.serving() || witness_.unprepared()) throw BrokenPromise("at rest, and nobody serves");
  if (!witness_.all_answered()) throw BrokenPromise("at rest, and somebody waits for an answer");

  const Policy& policy = witness_.serving_policy();
  const std::size_t serving = witness_.processes().size();
  for (const auto& [id, p] : witness_.processes()) {
    if (p.generation != witness_.serving() || !p.works() || !p.is_ready) {
      throw BrokenPromise(fmt::format("at rest, and worker {} is not", id.value));
    }
  }
  if (serving == 0 || serving > policy.workers ||
      (policy.restart == RestartRule::always && serving < policy.workers)) {
    throw BrokenPromise(fmt::format("at rest, {} of {} workers serve", serving, policy.workers));
  }
}

void Walk::reloads_once_more() {
  const GenerationId next{witness_.newest_generation().value + 1};
  tell(ReloadAsked{RequestId{++last_asker_}});
  comes_to_rest();
  if (witness_.stopping()) throw BrokenPromise("a reload without a fault ended graced");
  if (witness_.serving() != next) throw BrokenPromise("a reload without a fault failed");
  if (witness_.processes().size() != witness_.serving_policy().workers)
    throw BrokenPromise("a new generation is not complete");
}

// Some of the workers do not leave when they are told, and those who asked for a stop ask again.
void Walk::comes_to_its_end() {
  const auto anybody = [](const Witness::Process&) { return true; };
  if (!witness_.stopping()) tell(StopAsked{any_asker()});
  for (int i = 0; !witness_.finished(); ++i) {
    if (i > 10'000) throw BrokenPromise("it does not come to its end");
    const auto& processes = witness_.processes();
    const auto killed = std::ranges::find_if(processes, [](const auto& p) { return p.second.killed; });
    if (killed != processes.end() && killed->second.outlived) {
      tell(TreeGone{killed->first});
    } else if (killed != processes.end() && !one_in(3)) {
      tell(WorkerGone{killed->first, any_exit(), one_in(3)});
    } else if (one_in(5)) {
      tell(WorkerGone{any_worker(anybody), any_exit(), one_in(3)});
    } else if (one_in(5)) {
      if (witness_.survivors() && processes.empty()) ++tally_.survivors_waited_for;
      tell(SurvivorsGone{});
    } else if (one_in(5) && witness_.taken_leaves()) {
      if (processes.empty()) ++tally_.taken_waited_for;
      one_in(2) ? tell(TakenIdle{}) : tell(TakenGone{});
    } else if (one_in(5)) {
      tell(TreeGone{any_worker(anybody)});
    } else if (core_.next_deadline() != no_deadline) {
      now_ = std::max(now_, core_.next_deadline());
      tell(TimePassed{});
    } else if (killed == processes.end()) {
      tell(StopAsked{any_asker()});
    }
  }
  for (int i = 0; i < 10; ++i) step();  // nothing follows
  if (!witness_.all_answered()) throw BrokenPromise("at the end somebody still waits for an answer");
}

std::string Walk::last_events() const {
  std::string text;
  for (const Said& said : said_) {
    text += fmt::format("{:>16.6f} s  {}\n", std::chrono::duration<double>(said.at - Instant{1h}).count(),
                        describe(said.event));
    for (const Action& action : said.actions) text += fmt::format("{:>20}→ {}\n", "", describe(action));
  }
  return text;
}

}  // namespace graced
