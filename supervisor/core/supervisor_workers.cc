// What workers do by themselves: get ready, or not in time, ask for more time, go, and come again.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "core/start_limit.h"
#include "core/supervisor.h"

namespace graced {

void Supervisor::spawn(GenerationId generation, unsigned slot, Instant now) {
  const Policy& policy = policy_of(generation);
  const WorkerId id{++counts_.last_worker};
  const Duration limit = policy.ready == ReadyRule::after ? policy.ready_after : policy.ready_timeout;
  workers_.push_back(
      {.id = id, .generation = generation, .slot = slot, .since = now, .deadline = after(now, limit)});

  const bool watch_listening =
      policy.ready == ReadyRule::listen || (policy.ready == ReadyRule::automatic && !must_say_ready(policy));
  actions_.push_back(Spawn{id, generation, slot, watch_listening, policy.ready});
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

// Of the serving generation it is what there is.
void Supervisor::on(const WorkerUnfit& e, Instant now) {
  const Worker* w = find(e.worker);
  if (w && w->state == WorkerState::starting && on_trial(*w)) abandon(e.why, now);
}

void Supervisor::become_ready(Worker& worker, Instant now) {
  if (worker.state != WorkerState::starting) return;
  const bool nobody_was = serves(worker) && !can_be_watched();
  worker.state = WorkerState::ready;
  worker.since = now;
  worker.deadline = no_deadline;
  worker.has_been_ready = true;
  if (nobody_was) liveness_.begin_anew(now);

  if (!on_trial(worker)) return;
  const auto ready = std::ranges::count_if(
      workers_, [&](const Worker& w) { return on_trial(w) && w.state == WorkerState::ready; });
  const auto& batches = rollout_->batches;
  if (static_cast<unsigned>(ready) != (batches ? batches->workers_begun() : rollout_->policy->workers)) return;
  if (batches && batches->joined() > 0) {
    advance(now);  // the first batch has proven it
  } else {
    prove(now);
  }
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
  // One that settles does not know yet that it is to leave.
  if (!w || w->deadline == no_deadline || w->state == WorkerState::settling) return;
  if (w->state == WorkerState::starting && policy_of(w->generation).ready == ReadyRule::after) return;
  w->deadline = std::max(w->deadline, after(now, e.from_now));
}

void Supervisor::on(const WorkerGone& e, Instant now) {
  Worker* w = find(e.worker);
  if (!w || w->process_gone) return;
  const Worker gone = *w;
  const bool trial = on_trial(gone);
  if (e.leaves_others) {
    leave_behind(*w, now);
  } else {
    std::erase_if(workers_, [&](const Worker& other) { return other.id == gone.id; });
  }

  if (trial) {
    const Policy& policy = *rollout_->policy;
    const std::string why = policy.workers == 1
                                ? e.exit.how
                                : fmt::format("worker {} of {}: {}", gone.slot, policy.workers, e.exit.how);
    // Nobody is sent there any more before what has come there is handed over.
    if (rollout_->canary || gone.joined) canary_failed(why, now);
    if (!e.leaves_others) actions_.push_back(Lost{gone.id, false});
    // Who restarts nothing stands for its worker, before it is ready as well as later.
    if (rollout_ && rollout_->generation == gone.generation)
      abandon(why, now, policy.restart == RestartRule::never ? e.exit.status : 1);
  } else {
    if (gone.works())
      lost_unexpectedly(gone, e.exit, now);
    else
      ended_after_all(gone, e.exit, now);
    if (!e.leaves_others) lost(gone);
  }
}

void Supervisor::on(const TreeGone& e, Instant) {
  const Worker* w = find(e.worker);
  if (!w || !w->process_gone) return;
  const Worker gone = *w;
  std::erase_if(workers_, [&](const Worker& other) { return other.id == gone.id; });
  lost(gone);
}

// Another one of its slot may have been lost before the one that is to be replaced now.
void Supervisor::lost(const Worker& gone) {
  const bool replaced = is_replaced(gone);
  actions_.push_back(Lost{gone.id, replaced});
  if (!replaced) return;
  const auto keep = [&](std::vector<Respawn>& waiting) {
    for (Respawn& r : waiting) {
      if (r.slot == gone.slot) r.kept_for.push_back(gone.id);
    }
  };
  keep(restarts_.due);
  keep(restarts_.missing);
  if (rollout_) keep(rollout_->given_up);
}

// Another one has its place, or will have it.
bool Supervisor::is_replaced(const Worker& gone) const {
  if (!serves(gone) || stopping_) return false;
  const auto has_place = [&](const Respawn& r) { return r.slot == gone.slot && r.at != no_deadline; };
  return std::ranges::any_of(restarts_.due, has_place) || std::ranges::any_of(restarts_.missing, has_place) ||
         (makes_room(gone) && std::ranges::any_of(rollout_->given_up, has_place)) ||
         std::ranges::any_of(workers_,
                             [&](const Worker& w) { return serves(w) && w.slot == gone.slot && w.works(); });
}

// Why it had to leave, or wanted to, is known; how it did was not yet.
void Supervisor::ended_after_all(const Worker& worker, const Exit& exit, Instant now) {
  if (!restarts_.last_exit || restarts_.last_exit->worker != worker.id || restarts_.last_exit->gone) return;
  restarts_.last_exit->exit = {fmt::format("{}, then {}", restarts_.last_exit->exit.how, exit.how), exit.status,
                               exit.signal};
  restarts_.last_exit->gone = true;
  restarts_.last_exit->at = now;
}

void Supervisor::lost_unexpectedly(const Worker& worker, const Exit& exit, Instant now) {
  if (stopping_) return;
  restarts_.last_exit = ExitStatus{.worker = worker.id,
                                   .generation = worker.generation,
                                   .slot = worker.slot,
                                   .exit = exit,
                                   .gone = find(worker.id) == nullptr || find(worker.id)->process_gone,
                                   .at = now};
  // Who would not be replaced has failed all the same, unless that is how its work ends.
  if (probation_ && (policy_.restart == RestartRule::always || exit.status != 0))
    return roll_back(fmt::format("worker {} {}", worker.slot, exit.how), now);
  switch (policy_.restart) {
    case RestartRule::always:
      break;
    case RestartRule::on_failure:
      if (exit.status == 0) return;
      break;
    case RestartRule::never:
      return;
  }

  restarts_.unexpected_exits.push_back(now);
  // A window of no length holds not even the exit that was just put in.
  while (!restarts_.unexpected_exits.empty() &&
         after(restarts_.unexpected_exits.front(), policy_.start_limit_window) <= now) {
    restarts_.unexpected_exits.pop_front();
  }
  // A candidate on trial, or about to be, may be the cure: give up only if it fails as well.
  if (restarts_.unexpected_exits.size() > policy_.start_limit && !rollout_ && !queued_) {
    begin_stop(1,
               fmt::format("{} unexpected exits within {}, giving up; the last worker {}",
                           restarts_.unexpected_exits.size(), to_text(policy_.start_limit_window), exit.how),
               now);
    return;
  }

  auto [delay, first] = restarts_.delays.try_emplace(worker.slot, policy_.restart_delay);
  const bool served = worker.state == WorkerState::ready && now - worker.since >= policy_.restart_delay_reset;
  if (served) delay->second = policy_.restart_delay;
  const Respawn again{.slot = worker.slot, .at = after(now, delay->second), .of = worker.id};
  if (again.at != no_deadline && makes_room(worker)) {
    rollout_->given_up.push_back(again);
  } else {
    restarts_.due.push_back(again);
  }
  delay->second = doubled_delay(policy_, delay->second);
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
        abandon(why, now, 1, true);
      } else {
        const Worker late = *w;
        leave(*w, policy.drain_timeout, now);
        lost_unexpectedly(late, {"was " + why, 1}, now);
      }
      break;
    }
    case WorkerState::settling:
    case WorkerState::retiring:
      told_with_connections(*w, now);
      break;
    case WorkerState::draining:
      kill(*w, now);
      break;
    case WorkerState::ready:
    case WorkerState::standby:
    case WorkerState::killed:
      assert(!"has no deadline");
      break;
  }
}

}  // namespace graced
