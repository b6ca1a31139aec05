// How workers leave: told at once or only when they are idle, late, one too many, hammered, or because
// graced stops. When they leave, and what else follows, is in supervisor.cc.
#include <algorithm>
#include <utility>

#include "core/supervisor.h"

namespace graced {

void Supervisor::on(const WorkerIdle& e, Instant now) {
  Worker* w = find(e.worker);
  if (!w || w->state != WorkerState::retiring) return;
  // What it did not need of its time for its connections it may have for its leaving.
  const Instant limit = w->killed_at();
  w->last_call = 0s;
  leave(*w, w->grace, now);
  w->deadline = limit;
}

void Supervisor::retire(Worker& worker, const Policy& policy, Duration limit, Instant now) {
  worker.begin_to_retire(policy, limit, now);
  actions_.push_back(Retire{worker.id});
}

// Its connections have not ended: it may still finish them in its own way until they are closed (last_call).
void Supervisor::told_with_connections(Worker& worker, Instant now) {
  leave(worker, worker.grace, now);
}

// limit: until the drain signal at the latest; grace: from then on.
void Supervisor::settle(Worker& worker, Duration limit, Duration grace, Instant now) {
  worker.state = WorkerState::settling;
  worker.since = now;
  worker.deadline = after(now, limit);
  worker.grace = grace;
  if (std::ranges::find(to_settle_, worker.generation) == to_settle_.end())
    to_settle_.push_back(worker.generation);
}

void Supervisor::on(const Settled& e, Instant now) {
  for (Worker& w : workers_) {
    if (w.generation == e.generation && w.state == WorkerState::settling) leave(w, w.grace, now);
  }
}

void Supervisor::leave(Worker& worker, Duration limit, Instant now) {
  worker.state = WorkerState::draining;
  worker.since = now;
  worker.deadline = after(now, limit);
  actions_.push_back(Drain{worker.id});
}

// What its process has started may have requests in flight, so it gets the drain signal as well, and has the
// time that the worker had: as a server below a shell, which hands no signal on. One that is not told to leave
// yet has finished only when all of its connections are.
void Supervisor::leave_behind(Worker& worker, Instant now) {
  worker.process_gone = true;
  switch (worker.state) {
    case WorkerState::starting:
    case WorkerState::ready:
    case WorkerState::standby:
      worker.deadline = after(now, policy_of(worker.generation).drain_timeout);
      worker.state = WorkerState::draining;
      worker.since = now;
      actions_.push_back(DrainRest{worker.id});
      break;
    case WorkerState::settling:
      worker.deadline = after(now, worker.grace);
      worker.state = WorkerState::draining;
      worker.since = now;
      actions_.push_back(DrainRest{worker.id});
      break;
    case WorkerState::draining:
      actions_.push_back(DrainRest{worker.id});
      break;
    case WorkerState::retiring:
    case WorkerState::killed:
      break;
  }
}

void Supervisor::kill(Worker& worker, Instant now) {
  worker.state = WorkerState::killed;
  worker.since = now;
  worker.deadline = no_deadline;
  actions_.push_back(Kill{worker.id});
}

// A worker that leaves the serving generation alone is not a draining generation, nor is one that leaves those
// who stand by.
void Supervisor::enforce_max_draining(Instant now) {
  std::vector<GenerationId> draining;
  for (const Worker& w : workers_) {
    const bool stays = serves(w) || (probation_ && probation_->standby == w.generation);
    if (w.leaves() && !stays) draining.push_back(w.generation);
  }
  std::ranges::sort(draining);
  draining.erase(std::unique(draining.begin(), draining.end()), draining.end());
  for (; draining.size() > policy_.max_draining; draining.erase(draining.begin())) {
    for (Worker& w : workers_) {
      if (!w.leaves() || w.generation != *draining.begin()) continue;
      make_room(w, now);
    }
  }
}

void Supervisor::make_room(Worker& worker, Instant now) {
  const Duration grace = policy_.max_draining_grace;
  if (worker.state == WorkerState::settling) leave(worker, worker.grace, now);
  // One that has not even been told has that time from now on.
  if (worker.state == WorkerState::retiring) {
    worker.deadline = std::min(worker.deadline, after(now, grace));
    if (worker.deadline <= now) told_with_connections(worker, now);
    return;
  }
  // And what it has left is closed before it is killed.
  worker.last_call = std::min(worker.last_call, grace / 4);
  const Instant limit = std::max(after(worker.since, grace), after(now, worker.last_call));
  worker.deadline = std::min(worker.deadline, limit);
  if (worker.deadline <= now) kill(worker, now);
}

void Supervisor::on(const HammerAsked&, Instant now) {
  for (Worker& w : workers_) {
    if (w.leaves()) kill(w, now);
  }
  if (survivors_ && survivors_->state == WorkerState::draining) kill_survivors(now);
  if (taken_ && taken_->worker.leaves()) end_taken(now);
}

void Supervisor::on(const StopAsked& e, Instant now) {
  if (stopping_) {
    on(HammerAsked{}, now);
  } else {
    begin_stop(0, "stopped as asked", now);
  }
  if (e.by != nobody) stopping_->askers.push_back(e.by);
}

void Supervisor::begin_stop(int exit_status, std::string why, Instant now, GenerationId failed) {
  stopping_ = Stopping{exit_status, std::move(why), failed};
  liveness_.stop();
  never_replaced(restarts_.due);
  if (rollout_) abandon("graced is stopping", now);
  never_replaced(restarts_.missing);
  if (queued_) answer(std::exchange(queued_, std::nullopt)->askers, false, "graced is stopping");
  if (probation_) answer(std::exchange(probation_->askers, {}), false, "graced is stopping");

  const Duration limit = policy_.stop_timeout;
  for (Worker& w : workers_) {
    if (w.works() || w.stands_by()) leave_at_stop(w, policy_of(w.generation), now);
    hurry(w, limit, now);
  }
  probation_.reset();
  if (waits_for_survivors()) drain_survivors(limit, now);
  if (taken_) taken_->worker.hurry(policy_, limit, now);
}

void Supervisor::leave_at_stop(Worker& worker, const Policy& policy, Instant now) {
  switch (policy.drain) {
    case DrainRule::signal:
      leave(worker, policy_.stop_timeout, now);
      break;
    case DrainRule::idle:
      retire(worker, policy, policy_.stop_timeout, now);
      break;
  }
}

// Those that were to be.
void Supervisor::never_replaced(std::vector<Respawn>& waiting) {
  for (const Respawn& r : std::exchange(waiting, {})) {
    for (const WorkerId gone : r.kept_for) actions_.push_back(Lost{gone, false});
  }
}

void Supervisor::hurry(Worker& worker, Duration limit, Instant now) {
  if (worker.state == WorkerState::settling) leave(worker, worker.grace, now);
  worker.hurry(policy_, limit, now);
}

}  // namespace graced
