// Taken over: what listened already when graced was started serves until the first generation does, and leaves
// then as an old generation would. If none comes to serve it is given back, and has noticed nothing.
#include <algorithm>

#include "core/supervisor.h"

namespace graced {

void Supervisor::on(const TakenFound& e, Instant now) {
  if (taken_ || serving_) return;
  taken_ = Taken{.worker = {.id = taken_worker, .generation = taken_generation},
                 .ended_elsewhere = e.ended_elsewhere};
  taken_->worker.state = WorkerState::ready;
  taken_->worker.since = now;
}

void Supervisor::on(const TakenIdle&, Instant now) {
  if (!taken_ || taken_->worker.state != WorkerState::retiring) return;
  taken_->worker.last_call = 0s;
  drain_taken(taken_->worker.killed_at(), now);
}

void Supervisor::on(const TakenGone&, Instant) {
  taken_.reset();
}

// A generation serves now.
void Supervisor::retire_taken(Instant now) {
  if (!taken_ || taken_->worker.state != WorkerState::ready) return;
  switch (policy_.drain) {
    case DrainRule::signal:
      drain_taken(after(now, policy_.drain_timeout), now);
      break;
    case DrainRule::idle:
      taken_->worker.begin_to_retire(policy_, policy_.drain_timeout, now);
      actions_.push_back(RetireTaken{});
      break;
  }
}

void Supervisor::drain_taken(Instant limit, Instant now) {
  taken_->worker.state = WorkerState::draining;
  taken_->worker.since = now;
  taken_->worker.deadline = limit;
  actions_.push_back(DrainTaken{});
}

void Supervisor::taken_is_late(Instant now) {
  if (taken_->worker.state == WorkerState::retiring) {
    drain_taken(after(now, taken_->worker.grace), now);
  } else {
    end_taken(now);
  }
}

// It has no more time. Who manages it has a limit of his own.
void Supervisor::end_taken(Instant now) {
  Worker& worker = taken_->worker;
  if (taken_->ended_elsewhere) {
    if (worker.state == WorkerState::retiring) drain_taken(no_deadline, now);
    worker.deadline = no_deadline;
    taken_->late = true;
    return;
  }
  worker.state = WorkerState::killed;
  worker.since = now;
  worker.deadline = no_deadline;
  actions_.push_back(KillTaken{});
}

// Only what is to end.
bool Supervisor::waits_for_taken() const {
  return taken_ && taken_->worker.state != WorkerState::ready && !taken_->late;
}

void Supervisor::give_back_taken() {
  if (taken_ && taken_->worker.state == WorkerState::ready) actions_.push_back(GiveBackTaken{});
  taken_.reset();
}

}  // namespace graced
