// The reload state machine; supervisor.h tells its course. What its workers do by themselves is in
// supervisor_workers.cc, how they leave in supervisor_leaving.cc, who stands by in supervisor_probation.cc, who
// gets a share first in supervisor_canary.cc, how they come in batches in supervisor_surge.cc, who is probed in
// supervisor_probe.cc and supervisor_liveness.cc, what ran before in supervisor_survivors.cc and
// supervisor_taken.cc.
#include "core/supervisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace graced {

Supervisor::Supervisor(Policy first) : policy_(std::move(first)) {}

std::vector<Action> Supervisor::handle(const Event& event, Instant now) {
  actions_.clear();
  if (!finished_) {
    std::visit([&](const auto& e) { on(e, now); }, event);
    follow_up(now);
  }
  return std::exchange(actions_, {});
}

void Supervisor::on(const ReloadAsked& e, Instant now) {
  if (e.settled && e.by != nobody) wait_until_settled_.push_back(e.by);
  if (rollout_ && rollout_->replaces) abandon("a reload was asked for", now);
  if (stopping_) {
    answer({e.by}, false, "graced is stopping");
  } else if (rollout_ || queued_) {
    queue_reload(e.by, now);
  } else {
    begin_rollout({e.by}, now);
  }
}

// Somebody who waits for an answer gets the next reload as soon as it can be had. A SIGHUP that
// comes during a reload may be one of a burst, so the next reload starts when no other one has come for a
// while, though not later than ten times that.
void Supervisor::queue_reload(RequestId by, Instant now) {
  if (!queued_) queued_ = QueuedReload{{}, now, now};
  if (by != nobody) queued_->askers.push_back(by);
  queued_->not_before =
      queued_->askers.empty() ? std::min(now + burst_quiet, queued_->first_asked + 10 * burst_quiet) : now;
}

void Supervisor::begin_rollout(std::vector<RequestId> askers, Instant now) {
  assert(!rollout_ && !stopping_);
  const GenerationId generation{++counts_.last_generation};
  rollout_ = Rollout{generation, std::move(askers), now, after(now, policy_.ready_timeout)};
  actions_.push_back(Prepare{generation});
}

void Supervisor::on(const Prepared& e, Instant now) {
  if (!rollout_ || rollout_->generation != e.generation || rollout_->policy) return;
  rollout_->policy = e.policy;
  if (rollout_->replaces) as_no_new_build(*rollout_->policy);
  if (serving_ && comes_in_batches(e.policy)) {  // which are started as there is room
    rollout_->batches.emplace(e.policy.workers, e.policy.max_surge.of(e.policy.workers));
    return;
  }
  for (unsigned slot = 0; slot < e.policy.workers; ++slot) spawn(e.generation, slot, now);
}

void Supervisor::on(const PreparationFailed& e, Instant now) {
  if (rollout_ && rollout_->generation == e.generation && !rollout_->policy) abandon(e.why, now, e.exit_status);
}

// A start has nothing to fall back on; to end that is to stop.
void Supervisor::on(const AbortAsked& e, Instant now) {
  if (rollout_ && !rollout_->replaces && serving_) canary_failed(fmt::format("aborted by {}", e.by), now);
}

void Supervisor::promote(Instant now) {
  const auto old = serving_;
  const Policy old_policy = policy_;
  const auto replaces = rollout_->replaces;
  if (old && !replaces) previous_ = Previous{*old, old_policy, rollout_->batches.has_value()};
  serve(rollout_->generation, *rollout_->policy);
  watch_serving(replaces.has_value(), now);
  if (old) {
    begin_probation(*old, old_policy, now);
  } else {
    actions_.push_back(Switch{*serving_});
  }
  enforce_max_draining(now);
  drain_survivors(policy_.drain_timeout, now);
  retire_taken(now);
  if (replaces)
    replaced(*replaces, now);
  else if (old)
    record(*rollout_, true, "", now);
  answer_promoted();
  ask_to_settle();
  rollout_.reset();
}

// From now on, whatever the one before had: it is another's business.
void Supervisor::serve(GenerationId generation, Policy policy) {
  serving_ = generation;
  policy_ = std::move(policy);
  serving_says_ready_ =
      std::ranges::any_of(workers_, [&](const Worker& w) { return serves(w) && w.said_ready; });
  restarts_.due.clear();
  restarts_.missing.clear();
  restarts_.last_exit.reset();
  restarts_.delays.clear();
  restarts_.unexpected_exits.clear();
}

// Its workers get no new connections any more: now they are to leave.
void Supervisor::retire_generation(GenerationId generation, const Policy& policy, Instant now) {
  for (Worker& w : workers_) {
    if (w.generation == generation && (w.works() || w.stands_by())) tell_to_go(w, policy, policy_.settle, now);
  }
}

// settle_time: of those to whom new connections go from now on.
void Supervisor::tell_to_go(Worker& worker, const Policy& policy, Duration settle_time, Instant now) {
  switch (policy.drain) {
    case DrainRule::signal:
      if (settle_time > 0s) {
        settle(worker, settle_time, policy.drain_timeout, now);
      } else {
        leave(worker, policy.drain_timeout, now);
      }
      break;
    case DrainRule::idle:
      retire(worker, policy, policy.drain_timeout, now);
      break;
  }
}

void Supervisor::ask_to_settle() {
  for (const GenerationId generation : std::exchange(to_settle_, {})) actions_.push_back(Settle{generation});
}

// The serving generation does not hear of it.
void Supervisor::abandon(const std::string& why, Instant now, int exit_status, bool too_late) {
  Rollout failed = *std::exchange(rollout_, std::nullopt);
  const Duration limit = failed.policy ? failed.policy->drain_timeout : policy_.drain_timeout;

  take_back_share(failed);
  actions_.push_back(Abandon{failed.generation, why, too_late,
                             failed.replaces ? failed.replaces->generation : GenerationId{}});
  finish_canary(failed, now);
  for (Worker& w : workers_) {
    if (w.generation != failed.generation || failed.canary || w.joined) continue;
    w.thrown_away = true;
    if (w.works()) leave(w, limit, now);
  }
  joined_leave(failed, now);
  want_back(failed);
  enforce_max_draining(now);
  if (failed.replaces)
    not_replaced(failed, why, now);
  else if (serving_)
    record(failed, false, why, now);
  answer(failed.askers, false, why, failed.generation);
  ask_to_settle();
  if (!serving_ && !stopping_) begin_stop(exit_status, why, now, failed.generation);
}

void Supervisor::record(const Rollout& rollout, bool ok, const std::string& why, Instant now) {
  last_reload_ = ReloadStatus{rollout.generation, ok, why, now, now - rollout.began};
  ++(ok ? counts_.reloads : counts_.failed_reloads);
}

void Supervisor::on(const TimePassed&, Instant now) {
  if (rollout_ && !rollout_->policy && rollout_->preparation_deadline <= now) {
    abandon(fmt::format("not prepared within {}", to_text(policy_.ready_timeout)), now);
  }

  if (probation_ && probation_->until <= now) prove_itself(now);

  std::vector<WorkerId> due;
  for (const Worker& w : workers_) {
    if (w.deadline <= now) due.push_back(w.id);
  }
  for (const WorkerId id : due) deadline_passed(id, now);
  // After those whose time is over, who make room for a candidate that is given up now.
  probes_wait(now);
  canary_waits(now);
  look_at_serving(now);
  if (survivors_ && survivors_->deadline <= now) kill_survivors(now);
  if (taken_ && taken_->worker.deadline <= now) taken_is_late(now);

  std::vector<Respawn> respawns_due;
  std::erase_if(restarts_.due, [&](const Respawn& r) {
    if (r.at > now) return false;
    respawns_due.push_back(r);
    return true;
  });
  for (const Respawn& r : respawns_due) {
    ++counts_.restarts;
    spawn(*serving_, r.slot, now);
  }
}

Instant Supervisor::next_deadline() const {
  Instant next = no_deadline;
  for (const Worker& w : workers_) next = std::min(next, w.deadline);
  for (const Respawn& r : restarts_.due) next = std::min(next, r.at);
  if (survivors_) next = std::min(next, survivors_->deadline);
  if (taken_) next = std::min(next, taken_->worker.deadline);
  if (rollout_ && !rollout_->policy) next = std::min(next, rollout_->preparation_deadline);
  if (rollout_ && rollout_->probing) next = std::min(next, rollout_->probing->next());
  if (rollout_ && rollout_->canary) next = std::min(next, rollout_->canary->next());
  if (queued_ && !rollout_) next = std::min(next, queued_->not_before);
  if (probation_) next = std::min(next, probation_->until);
  return std::min(next, next_of_liveness());
}

// What no single event decides: the next reload, the last worker, the end.
void Supervisor::follow_up(Instant now) {
  if (probation_ && !anybody_stands_by()) prove_itself(now);
  if (!stopping_) fill_missing(now);
  if (rollout_ && rollout_->canary && nobody_serves()) advance(now);
  if (queued_ && !rollout_ && !stopping_ && queued_->not_before <= now) {
    begin_rollout(std::exchange(queued_, std::nullopt)->askers, now);
  }
  replace_failed(now);
  use_room(now);
  if (serving_ && !rollout_ && !queued_ && !stopping_ && restarts_.due.empty() && restarts_.missing.empty() &&
      std::ranges::none_of(workers_, [&](const Worker& w) { return serves(w) && w.works(); })) {
    const Exit last = restarts_.last_exit ? restarts_.last_exit->exit : Exit{};
    begin_stop(last.status, fmt::format("the last worker {}", last.how), now);
  }
  if (stopping_ && workers_.empty() && !waits_for_survivors() && !waits_for_taken()) {
    give_back_taken();
    answer(stopping_->askers, true, stopping_->why);
    actions_.push_back(Finished{stopping_->exit_status, stopping_->why, stopping_->failed});
    finished_ = true;
    survivors_.reset();  // those that are left are the next graced's
  }
}

Worker* Supervisor::find(WorkerId id) {
  const auto w = std::ranges::find(workers_, id, &Worker::id);
  return w == workers_.end() ? nullptr : &*w;
}

const Policy& Supervisor::policy_of(GenerationId generation) const {
  if (probation_ && probation_->standby == generation) return probation_->policy;
  return rollout_ && rollout_->generation == generation && rollout_->policy ? *rollout_->policy : policy_;
}

bool Supervisor::on_trial(const Worker& worker) const {
  return rollout_ && rollout_->generation == worker.generation && worker.works();
}

bool Supervisor::serves(const Worker& worker) const {
  return serving_ == worker.generation;
}

// Whoever follows a generation that speaks must speak as well.
bool Supervisor::must_say_ready(const Policy& policy) const {
  return policy.ready == ReadyRule::notify ||
         (policy.ready == ReadyRule::automatic && serving_ && serving_says_ready_);
}

void Supervisor::answer(const std::vector<RequestId>& askers, bool ok, const std::string& why,
                        GenerationId failed) {
  for (const RequestId by : askers) {
    if (by == nobody) continue;
    actions_.push_back(Answer{by, ok, serving_.value_or(GenerationId{}), why, failed});
    std::erase(wait_until_settled_, by);
  }
}

Phase Supervisor::phase() const {
  if (finished_) return Phase::finished;
  if (stopping_) return Phase::stopping;
  if (!serving_) return Phase::starting;
  const unsigned ready = ready_of_serving();
  if (ready == 0) return Phase::down;
  if (ready < workers_asked()) return Phase::degraded;
  return rollout_ && !rollout_->replaces ? Phase::reloading : Phase::serving;
}

unsigned Supervisor::ready_of_serving() const {
  return static_cast<unsigned>(std::ranges::count_if(workers_, [&](const Worker& w) {
    return (serves(w) || serves_beside(w)) && w.state == WorkerState::ready;
  }));
}

Status Supervisor::status() const {
  Status s;
  s.phase = phase();
  s.serving = serving_;
  if (previous_) s.previous = previous_->generation;
  s.rollback_to = rollback_to();
  if (probation_) s.probation = ProbationStatus{probation_->standby, probation_->until};
  if (rollout_) s.candidate = rollout_->generation;
  s.surge = surge_status();
  if (rollout_ && rollout_->replaces) s.replaces = rollout_->replaces->generation;
  s.watched = liveness_.status();
  s.next_replacement = liveness_.next_attempt();
  s.last_replacement = liveness_.last_replacement;
  if (rollout_ && rollout_->probing && !rollout_->canary) {
    s.probes = rollout_->probing->status();
    s.probed_until = rollout_->probing->deadline();
  }
  if (rollout_ && rollout_->canary) s.canary = rollout_->canary->status();
  for (const Worker& w : workers_) s.workers.push_back(w.status());
  s.survivors = survivors_;
  if (taken_) s.taken = taken_->worker.status();
  if (serving_) s.workers_asked = workers_asked();
  s.workers_ready = ready_of_serving();
  s.last_exit = restarts_.last_exit;
  s.last_reload = last_reload_;
  s.reloads = counts_.reloads;
  s.failed_reloads = counts_.failed_reloads;
  s.rollbacks = counts_.rollbacks;
  s.restarts = counts_.restarts;
  s.reload_queued = queued_.has_value();
  if (stopping_) {
    s.exit_status = stopping_->exit_status;
    s.stops_because = stopping_->why;
  }
  s.missing = static_cast<unsigned>(restarts_.missing.size());
  for (const Respawn& r : restarts_.due) {
    s.waiting.push_back({r.of, *serving_, r.slot, r.at});
    if (r.at != no_deadline) s.next_restart = std::min(s.next_restart.value_or(no_deadline), r.at);
  }
  return s;
}

}  // namespace graced
