// How a story is told, and the words for what is said between core and edge.
#include "supervisor_story.h"

#include <fmt/format.h>

#include <algorithm>

namespace graced {

namespace {

std::string ms(Duration d) {
  if (d == infinity) return "infinity";
  return fmt::format("{}ms", std::chrono::duration<double, std::milli>(d).count());
}

struct Words {
  std::string operator()(const Prepared& e) const {
    const Policy& p = e.policy;
    return fmt::format(
        "Prepared generation {}: workers {}, ready {} after {}, ready timeout {}, drain {} timeout {} grace {} "
        "last call {}, idle {}, stop timeout {} idle {}, "
        "max draining {}, restart {}, delay {} to {} reset {}, start limit {}/{}, settle {}, probation {}, "
        "canary '{}'{}, max surge {}{}",
        e.generation.value, p.workers, static_cast<int>(p.ready), ms(p.ready_after), ms(p.ready_timeout),
        static_cast<int>(p.drain), ms(p.drain_timeout), ms(p.drain_grace), ms(p.last_call), ms(p.drain_idle),
        ms(p.stop_timeout), ms(p.stop_idle), p.max_draining, static_cast<int>(p.restart), ms(p.restart_delay),
        ms(p.restart_delay_limit), ms(p.restart_delay_reset), p.start_limit, ms(p.start_limit_window),
        ms(p.settle), ms(p.probation), canary_text(p.canary), p.gated ? " with a gate" : "", p.max_surge.amount,
        p.max_surge.percent ? "%" : "");
  }
  std::string operator()(const PreparationFailed& e) const {
    return fmt::format("PreparationFailed generation {}", e.generation.value);
  }
  std::string operator()(const WorkerReady& e) const { return fmt::format("WorkerReady {}", e.worker.value); }
  std::string operator()(const WorkerUnfit& e) const {
    return fmt::format("WorkerUnfit {}: {}", e.worker.value, e.why);
  }
  std::string operator()(const WorkerListening& e) const {
    return fmt::format("WorkerListening {}", e.worker.value);
  }
  std::string operator()(const WorkerStopping& e) const {
    return fmt::format("WorkerStopping {}", e.worker.value);
  }
  std::string operator()(const WorkerAsksTime& e) const {
    return fmt::format("WorkerAsksTime {}: {}", e.worker.value, ms(e.from_now));
  }
  std::string operator()(const WorkerIdle& e) const { return fmt::format("WorkerIdle {}", e.worker.value); }
  std::string operator()(const WorkerGone& e) const {
    return fmt::format("WorkerGone {}: {}{}", e.worker.value, e.exit.status,
                       e.leaves_others ? ", others are left" : "");
  }
  std::string operator()(const TreeGone& e) const { return fmt::format("TreeGone {}", e.worker.value); }
  std::string operator()(const ProbePassed& e) const {
    return fmt::format("ProbePassed {} of generation {}", e.probe, e.generation.value);
  }
  std::string operator()(const ProbeFailed& e) const {
    return fmt::format("ProbeFailed {} of generation {}: {}", e.probe, e.generation.value, e.saw);
  }
  std::string operator()(const ShareFailed& e) const {
    return fmt::format("ShareFailed of generation {}: {}", e.generation.value, e.why);
  }
  std::string operator()(const GatePassed& e) const {
    return fmt::format("GatePassed of generation {}, step {}", e.generation.value, e.step);
  }
  std::string operator()(const GateFailed& e) const {
    return fmt::format("GateFailed of generation {}, step {}: {}", e.generation.value, e.step, e.why);
  }
  std::string operator()(const SurvivorsFound&) const { return "SurvivorsFound"; }
  std::string operator()(const SurvivorsGone&) const { return "SurvivorsGone"; }
  std::string operator()(const TakenFound& e) const {
    return fmt::format("TakenFound{}", e.ended_elsewhere ? ", ended elsewhere" : "");
  }
  std::string operator()(const TakenIdle&) const { return "TakenIdle"; }
  std::string operator()(const TakenGone&) const { return "TakenGone"; }
  std::string operator()(const Settled& e) const {
    return fmt::format("Settled generation {}", e.generation.value);
  }
  std::string operator()(const ReloadAsked& e) const {
    return fmt::format("ReloadAsked by {}{}", e.by.value, e.settled ? ", until it is settled" : "");
  }
  std::string operator()(const RollbackAsked& e) const { return fmt::format("RollbackAsked by {}", e.by); }
  std::string operator()(const StopAsked& e) const { return fmt::format("StopAsked by {}", e.by.value); }
  std::string operator()(const AbortAsked& e) const { return fmt::format("AbortAsked by {}", e.by); }
  std::string operator()(const HammerAsked&) const { return "HammerAsked"; }
  std::string operator()(const TimePassed&) const { return "TimePassed"; }

  std::string operator()(const Prepare& a) const {
    return fmt::format("Prepare generation {}, same as {}", a.generation.value, a.same_as.value);
  }
  std::string operator()(const Spawn& a) const {
    return fmt::format("Spawn {}: generation {} slot {}{}", a.worker.value, a.generation.value, a.slot,
                       a.watch_listening ? ", watched" : "");
  }
  std::string operator()(const Probe& a) const {
    return fmt::format("Probe {} of generation {}", a.probe, a.generation.value);
  }
  std::string operator()(const Share& a) const {
    return fmt::format("Share {} of generation {}", share_text(a.per_mille), a.generation.value);
  }
  std::string operator()(const Gate& a) const {
    return fmt::format("Gate of generation {}, step {}", a.generation.value, a.step);
  }
  std::string operator()(const Switch& a) const {
    return fmt::format("Switch to generation {}, {} stands by", a.to.value, a.standby.value);
  }
  std::string operator()(const Join& a) const {
    std::string text = fmt::format("Join generation {}, instead of", a.candidate.value);
    for (const WorkerId w : a.replaced) text += fmt::format(" {}", w.value);
    return text;
  }
  std::string operator()(const Ailing& a) const {
    return fmt::format("Ailing generation {}: {}", a.generation.value, a.why);
  }
  std::string operator()(const Replaced& a) const {
    return fmt::format("Replaced generation {} by {}: {}", a.from.value, a.to.value, a.why);
  }
  std::string operator()(const Return& a) const { return fmt::format("Return {}", a.worker.value); }
  std::string operator()(const RolledBack& a) const {
    return fmt::format("RolledBack from generation {} to {}: {}", a.from.value, a.to.value, a.why);
  }
  std::string operator()(const Proven& a) const {
    return fmt::format("Proven generation {}, {} stood by{}", a.generation.value, a.standby.value,
                       a.alone ? " and is gone" : "");
  }
  std::string operator()(const Abandon& a) const {
    return fmt::format("Abandon generation {}: {}", a.generation.value, a.why);
  }
  std::string operator()(const Retire& a) const { return fmt::format("Retire {}", a.worker.value); }
  std::string operator()(const Settle& a) const {
    return fmt::format("Settle generation {}", a.generation.value);
  }
  std::string operator()(const Drain& a) const { return fmt::format("Drain {}", a.worker.value); }
  std::string operator()(const DrainRest& a) const { return fmt::format("DrainRest {}", a.worker.value); }
  std::string operator()(const Kill& a) const { return fmt::format("Kill {}", a.worker.value); }
  std::string operator()(const DrainSurvivors&) const { return "DrainSurvivors"; }
  std::string operator()(const KillSurvivors&) const { return "KillSurvivors"; }
  std::string operator()(const RetireTaken&) const { return "RetireTaken"; }
  std::string operator()(const DrainTaken&) const { return "DrainTaken"; }
  std::string operator()(const KillTaken&) const { return "KillTaken"; }
  std::string operator()(const GiveBackTaken&) const { return "GiveBackTaken"; }
  std::string operator()(const Lost& a) const {
    return fmt::format("Lost {}{}", a.worker.value, a.replaced ? ", to be replaced" : "");
  }
  std::string operator()(const Answer& a) const {
    return fmt::format("Answer {}: {} generation {} {}", a.to.value, a.ok ? "ok" : "failed", a.generation.value,
                       a.why);
  }
  std::string operator()(const Finished& a) const {
    return fmt::format("Finished {}: {}", a.exit_status, a.why);
  }
};

}  // namespace

std::string describe(const Event& event) {
  return std::visit(Words{}, event);
}
std::string describe(const Action& action) {
  return std::visit(Words{}, action);
}

// Stories about max-draining tell of its limit; the grace has a story of its own.
Policy without_grace(Policy p) {
  if (p.max_draining_grace == Policy{}.max_draining_grace) p.max_draining_grace = 0s;
  return p;
}

Story::Story(const Policy& first) : supervisor(without_grace(first)), policy(without_grace(first)) {}

void Story::happens(const Event& event) {
  last = supervisor.handle(event, now);
  lost = only<Lost>(last);
  std::erase_if(last, [](const Action& action) { return std::holds_alternative<Lost>(action); });
  for (const Spawn& spawn : only<Spawn>(last)) spawns.push_back(spawn);
  for (const Prepare& prepare : only<Prepare>(last)) preparing = prepare.generation;
}

void Story::passes(Duration d) {
  const Instant until = now + d;
  std::vector<Action> all;
  for (int rounds = 0; supervisor.next_deadline() <= until; ++rounds) {
    REQUIRE_MESSAGE(rounds < 1000, "time stands still");
    now = std::max(now, supervisor.next_deadline());
    happens(TimePassed{});
    all.insert(all.end(), last.begin(), last.end());
  }
  now = until;
  last = all;
}

void Story::prepared() {
  prepared(policy);
}

void Story::prepared(const Policy& with) {
  policy = without_grace(with);
  happens(Prepared{preparing, policy});
}

void Story::candidate_becomes_ready() {
  const GenerationId candidate = preparing;
  for (const Spawn& spawn : std::vector<Spawn>(spawns)) {
    if (spawn.generation != candidate) continue;
    if (state(spawn.worker) == "starting") happens(WorkerReady{spawn.worker});
    if (state(spawn.worker) == "starting") happens(WorkerListening{spawn.worker});
  }
}

void Story::reloads(RequestId by) {
  reloads(policy, by);
}

void Story::reloads(const Policy& with, RequestId by) {
  happens(ReloadAsked{by});
  prepared(with);
  candidate_becomes_ready();
  REQUIRE(the<Switch>(last).to == preparing);
}

void Story::exits(WorkerId worker, int status) {
  happens(WorkerGone{worker, {fmt::format("exited with status {}", status), status}});
}

void Story::everybody_exits() {
  everybody_exits_but({});
}

void Story::everybody_exits_but(const std::vector<WorkerId>& staying) {
  std::vector<Action> all;
  for (const WorkerStatus& w : supervisor.status().workers) {
    if (std::ranges::find(staying, w.worker) != staying.end()) continue;
    exits(w.worker, 0);
    all.insert(all.end(), last.begin(), last.end());
  }
  last = all;
}

WorkerId Story::newest(unsigned slot) const {
  const auto found =
      std::find_if(spawns.rbegin(), spawns.rend(), [&](const Spawn& s) { return s.slot == slot; });
  REQUIRE(found != spawns.rend());
  return found->worker;
}

std::string Story::state(WorkerId worker) const {
  for (const WorkerStatus& w : supervisor.status().workers) {
    if (w.worker == worker) return std::string(to_text(w.state));
  }
  return "gone";
}

Instant Story::deadline(WorkerId worker) const {
  return state(worker) == "gone" ? no_deadline : status(worker).deadline;
}

Instant Story::last_call(WorkerId worker) const {
  return status(worker).last_call;
}

Instant Story::killed_at(WorkerId worker) const {
  return status(worker).killed_at;
}

WorkerStatus Story::status(WorkerId worker) const {
  for (const WorkerStatus& w : supervisor.status().workers) {
    if (w.worker == worker) return w;
  }
  REQUIRE_MESSAGE(false, "it is gone");
  return {};
}

std::string Story::phase() const {
  return std::string(to_text(supervisor.status().phase));
}

std::vector<WorkerId> Story::serving() const {
  const Status status = supervisor.status();
  std::vector<WorkerId> found;
  for (const WorkerStatus& w : status.workers) {
    const bool works = w.state == WorkerState::starting || w.state == WorkerState::ready;
    if (status.serving == w.generation && works) found.push_back(w.worker);
  }
  return found;
}

GenerationId Story::serving_generation() const {
  return supervisor.status().serving.value_or(GenerationId{});
}

Story serving(const Policy& policy) {
  Story s(policy);
  s.reloads();
  return s;
}

}  // namespace graced
