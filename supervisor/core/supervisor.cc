// The reload state machine; supervisor.h tells its course.
#include "core/supervisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace graced {

Supervisor::Supervisor(Policy first) : policy_(first) {}

std::vector<Action> Supervisor::handle(const Event& event, Instant now) {
  actions_.clear();
  if (!finished_) {
    std::visit([&](const auto& e) { on(e, now); }, event);
    follow_up(now);
  }
  return std::exchange(actions_, {});
}

// ---- a reload --------------------------------------------------------------------------------

void Supervisor::on(const ReloadAsked& e, Instant now) {
  if (stopping_) {
    answer({e.by}, false, "graced is stopping");
  } else if (rollout_ || queued_) {
    queue_reload(e.by, now);
  } else {
    begin_rollout({e.by}, now);
  }
}

// Somebody who waits for an answer gets the next reload as soon as it can be had. A SIGHUP that
// comes during a reload starts the next one right after it; when a second one comes as well they are a
// burst, and that reload starts when the burst has ended, though not later than ten times the quiet
// that takes.
void Supervisor::queue_reload(RequestId by, Instant now) {
  const bool burst = queued_.has_value();
  if (!queued_) queued_ = QueuedReload{{}, now, now};
  if (by != nobody) queued_->askers.push_back(by);
  queued_->not_before = burst && queued_->askers.empty()
                            ? std::min(now + burst_quiet, queued_->first_asked + 10 * burst_quiet)
                            : now;
}

void Supervisor::begin_rollout(std::vector<RequestId> askers, Instant now) {
  assert(!rollout_ && !stopping_);
  const GenerationId generation{++last_generation_};
  rollout_ = Rollout{generation, std::move(askers), now, after(now, policy_.ready_timeout), {}};
  actions_.push_back(Prepare{generation});
}

void Supervisor::on(const Prepared& e, Instant now) {
  if (!rollout_ || rollout_->generation != e.generation || rollout_->policy) return;
  rollout_->policy = e.policy;
  for (unsigned slot = 0; slot < e.policy.workers; ++slot) spawn(e.generation, slot, now);
}

void Supervisor::on(const PreparationFailed& e, Instant now) {
  if (rollout_ && rollout_->generation == e.generation && !rollout_->policy) abandon(e.why, now, e.exit_status);
}

void Supervisor::promote(Instant now) {
  const std::optional<GenerationId> old = std::exchange(serving_, rollout_->generation);
  const Policy old_policy = policy_;
  policy_ = *rollout_->policy;
  serving_says_ready_ =
      std::ranges::any_of(workers_, [&](const Worker& w) { return serves(w) && w.said_ready; });
  respawns_.clear();
  restart_delays_.clear();
  unexpected_exits_.clear();

  actions_.push_back(Switch{*serving_});
  for (Worker& w : workers_) {
    if (w.generation != old || !w.works()) continue;
    const Duration limit = old_policy.drain_timeout;
    switch (old_policy.drain) {
      case DrainRule::signal:
        leave(w, limit, now);
        break;
      case DrainRule::idle: {
        const Duration last_call = std::min(old_policy.last_call, limit / 4);
        const Duration until_signal = limit == infinity ? infinity : limit + last_call;
        retire(w, until_signal, last_call, std::min(old_policy.drain_grace, limit), now);
        break;
      }
    }
  }
  enforce_max_draining(now);
  if (old) record(*rollout_, true, "", now);
  answer(std::exchange(rollout_->askers, {}), true, "");
  rollout_.reset();
}

// The serving generation does not hear of it.
void Supervisor::abandon(const std::string& why, Instant now, int exit_status) {
  const Rollout failed = *std::exchange(rollout_, std::nullopt);
  const Duration limit = failed.policy ? failed.policy->drain_timeout : policy_.drain_timeout;

  actions_.push_back(Abandon{failed.generation, why});
  for (Worker& w : workers_) {
    if (w.generation == failed.generation && w.works()) leave(w, limit, now);
  }
  enforce_max_draining(now);
  if (serving_) record(failed, false, why, now);
  answer(failed.askers, false, why);
  if (!serving_ && !stopping_) begin_stop(exit_status, why, now);
}

void Supervisor::record(const Rollout& rollout, bool ok, const std::string& why, Instant now) {
  last_reload_ = ReloadStatus{rollout.generation, ok, why, now, now - rollout.began};
  ++(ok ? reloads_ : failed_reloads_);
}

// ---- a worker --------------------------------------------------------------------------------

void Supervisor::spawn(GenerationId generation, unsigned slot, Instant now) {
  const Policy& policy = policy_of(generation);
  const WorkerId id{++last_worker_};
  const Duration limit = policy.ready == ReadyRule::after ? policy.ready_after : policy.ready_timeout;
  workers_.push_back(
      {.id = id, .generation = generation, .slot = slot, .since = now, .deadline = after(now, limit)});

  const bool watch_listening =
      policy.ready == ReadyRule::listen || (policy.ready == ReadyRule::automatic && !must_say_ready(policy));
  actions_.push_back(Spawn{id, generation, slot, watch_listening});
}

void Supervisor::on(const WorkerReady& e, Instant now) {
  Worker* w = find(e.worker);
  if (!w) return;
  w->said_ready = true;
  if (serves(*w)) serving_says_ready_ = true;

  switch (policy_of(w->generation).ready) {
    case ReadyRule::automatic:
    case ReadyRule::notify:
      become_ready(*w, now);
      break;
    case ReadyRule::listen:
    case ReadyRule::after:
      break;
  }
}

void Supervisor::on(const WorkerListening& e, Instant now) {
  Worker* w = find(e.worker);
  if (!w) return;
  const Policy& policy = policy_of(w->generation);

  switch (policy.ready) {
    case ReadyRule::automatic:
      if (!must_say_ready(policy)) become_ready(*w, now);
      break;
    case ReadyRule::listen:
      become_ready(*w, now);
      break;
    case ReadyRule::notify:
    case ReadyRule::after:
      break;
  }
}

void Supervisor::become_ready(Worker& worker, Instant now) {
  if (worker.state != WorkerState::starting) return;
  worker.state = WorkerState::ready;
  worker.since = now;
  worker.deadline = no_deadline;

  if (!on_trial(worker)) return;
  const auto ready = std::ranges::count_if(
      workers_, [&](const Worker& w) { return on_trial(w) && w.state == WorkerState::ready; });
  if (static_cast<unsigned>(ready) == rollout_->policy->workers) promote(now);
}

// It leaves by itself, so nobody needs to tell it; its replacement need not wait until it is gone.
void Supervisor::on(const WorkerStopping& e, Instant now) {
  Worker* w = find(e.worker);
  if (!w || !serves(*w) || w->state != WorkerState::ready || stopping_) return;
  if (policy_.restart != RestartRule::always) return;  // how it ends decides
  const Worker leaving = *w;
  w->state = WorkerState::draining;
  w->since = now;
  w->deadline = after(now, policy_.drain_timeout);
  lost_unexpectedly(leaving, {"said STOPPING=1", 0}, now);
}

void Supervisor::on(const WorkerAsksTime& e, Instant now) {
  Worker* w = find(e.worker);
  if (!w || w->deadline == no_deadline) return;
  if (w->state == WorkerState::starting && policy_of(w->generation).ready == ReadyRule::after) return;
  w->deadline = std::max(w->deadline, after(now, e.from_now));
}

void Supervisor::on(const WorkerGone& e, Instant now) {
  const auto w = std::ranges::find(workers_, e.worker, &Worker::id);
  if (w == workers_.end()) return;
  const Worker gone = *w;
  workers_.erase(w);

  if (!gone.works()) return;
  if (on_trial(gone)) {
    const unsigned strength = rollout_->policy->workers;
    abandon(strength == 1 ? e.exit.how : fmt::format("worker {} of {}: {}", gone.slot, strength, e.exit.how),
            now);
  } else {
    lost_unexpectedly(gone, e.exit, now);
  }
}

void Supervisor::lost_unexpectedly(const Worker& worker, const Exit& exit, Instant now) {
  if (stopping_) return;
  last_exit_ = exit;
  switch (policy_.restart) {
    case RestartRule::always:
      break;
    case RestartRule::on_failure:
      if (exit.status == 0) return;
      break;
    case RestartRule::never:
      return;
  }

  unexpected_exits_.push_back(now);
  // A window of no length holds not even the exit that was just put in.
  while (!unexpected_exits_.empty() && after(unexpected_exits_.front(), policy_.start_limit_window) <= now) {
    unexpected_exits_.pop_front();
  }
  // A candidate on trial, or about to be, may be the cure: give up only if it fails as well.
  if (unexpected_exits_.size() > policy_.start_limit && !rollout_ && !queued_) {
    begin_stop(1,
               fmt::format("{} unexpected exits within {}, giving up; the last worker {}",
                           unexpected_exits_.size(), to_text(policy_.start_limit_window), exit.how),
               now);
    return;
  }

  auto [delay, first] = restart_delays_.try_emplace(worker.slot, policy_.restart_delay);
  const bool served = worker.state == WorkerState::ready && now - worker.since >= policy_.restart_delay_reset;
  if (served) delay->second = policy_.restart_delay;
  respawns_.push_back({worker.slot, after(now, delay->second)});
  // Twice as long next time; an infinite delay has no double.
  const Duration limit = std::max(policy_.restart_delay_limit, policy_.restart_delay);
  delay->second = delay->second > limit / 2 ? limit : delay->second * 2;
}

// ---- time ------------------------------------------------------------------------------------

void Supervisor::on(const TimePassed&, Instant now) {
  if (rollout_ && !rollout_->policy && rollout_->preparation_deadline <= now) {
    abandon(fmt::format("not prepared within {}", to_text(policy_.ready_timeout)), now);
  }

  std::vector<WorkerId> due;
  for (const Worker& w : workers_) {
    if (w.deadline <= now) due.push_back(w.id);
  }
  for (const WorkerId id : due) deadline_passed(id, now);

  std::vector<Respawn> respawns_due;
  std::erase_if(respawns_, [&](const Respawn& r) {
    if (r.at > now) return false;
    respawns_due.push_back(r);
    return true;
  });
  for (const Respawn& r : respawns_due) {
    ++restarts_;
    spawn(*serving_, r.slot, now);
  }
}

void Supervisor::deadline_passed(WorkerId id, Instant now) {
  Worker* w = find(id);
  if (!w || w->deadline > now) return;  // the deadline before it changed everything

  switch (w->state) {
    case WorkerState::starting: {
      const Policy& policy = policy_of(w->generation);
      if (policy.ready == ReadyRule::after) {
        become_ready(*w, now);
        break;
      }
      const std::string why = fmt::format("not ready within {}", to_text(policy.ready_timeout));
      if (on_trial(*w)) {
        abandon(why, now);
      } else {
        const Worker late = *w;
        leave(*w, policy.drain_timeout, now);
        lost_unexpectedly(late, {"was " + why, 1}, now);
      }
      break;
    }
    case WorkerState::retiring:
      leave(*w, w->grace, now);
      break;
    case WorkerState::draining:
      kill(*w, now);
      break;
    case WorkerState::ready:
    case WorkerState::killed:
      assert(!"has no deadline");
      break;
  }
}

Instant Supervisor::next_deadline() const {
  Instant next = no_deadline;
  for (const Worker& w : workers_) next = std::min(next, w.deadline);
  for (const Respawn& r : respawns_) next = std::min(next, r.at);
  if (rollout_ && !rollout_->policy) next = std::min(next, rollout_->preparation_deadline);
  if (queued_ && !rollout_) next = std::min(next, queued_->not_before);
  return next;
}

// What no single event decides: the next reload, the last worker, the end.
void Supervisor::follow_up(Instant now) {
  if (queued_ && !rollout_ && !stopping_ && queued_->not_before <= now) {
    begin_rollout(std::exchange(queued_, std::nullopt)->askers, now);
  }
  if (serving_ && !rollout_ && !queued_ && !stopping_ && respawns_.empty() &&
      std::ranges::none_of(workers_, [&](const Worker& w) { return serves(w) && w.works(); })) {
    begin_stop(last_exit_.status, fmt::format("the last worker {}", last_exit_.how), now);
  }
  if (stopping_ && workers_.empty()) {
    answer(stopping_->askers, true, stopping_->why);
    actions_.push_back(Finished{stopping_->exit_status, stopping_->why});
    finished_ = true;
  }
}

// ---- small questions -------------------------------------------------------------------------

Worker* Supervisor::find(WorkerId id) {
  const auto w = std::ranges::find(workers_, id, &Worker::id);
  return w == workers_.end() ? nullptr : &*w;
}

const Policy& Supervisor::policy_of(GenerationId generation) const {
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

void Supervisor::answer(const std::vector<RequestId>& askers, bool ok, const std::string& why) {
  for (const RequestId by : askers) {
    if (by != nobody) actions_.push_back(Answer{by, ok, serving_.value_or(GenerationId{}), why});
  }
}

Phase Supervisor::phase() const {
  if (finished_) return Phase::finished;
  if (stopping_) return Phase::stopping;
  if (!serving_) return Phase::starting;
  return rollout_ ? Phase::reloading : Phase::serving;
}

Status Supervisor::status() const {
  Status s;
  s.phase = phase();
  s.serving = serving_;
  if (rollout_) s.candidate = rollout_->generation;
  for (const Worker& w : workers_) {
    const bool retiring = w.state == WorkerState::retiring;
    const bool ends = retiring && w.deadline != no_deadline;
    s.workers.push_back({.worker = w.id,
                         .generation = w.generation,
                         .slot = w.slot,
                         .state = w.state,
                         .since = w.since,
                         .deadline = w.deadline,
                         .last_call = ends ? w.deadline - w.last_call : no_deadline,
                         .killed_at = ends         ? after(w.deadline, w.grace)
                                      : w.leaves() ? w.deadline
                                                   : no_deadline});
  }
  s.last_reload = last_reload_;
  s.reloads = reloads_;
  s.failed_reloads = failed_reloads_;
  s.restarts = restarts_;
  s.reload_queued = queued_.has_value();
  for (const Respawn& r : respawns_) s.next_restart = std::min(s.next_restart.value_or(no_deadline), r.at);
  return s;
}

}  // namespace graced
