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
  const Instant limit = std::max(w->deadline, after(now, w->grace));
  leave(*w, w->grace, now);
  w->deadline = limit;
}

// limit: until the drain signal, the last call within.
void Supervisor::retire(Worker& worker, Duration limit, Duration last_call, Duration grace, Instant now) {
  worker.state = WorkerState::retiring;
  worker.since = now;
  worker.deadline = after(now, limit);
  worker.last_call = last_call;
  worker.grace = grace;
  actions_.push_back(Retire{worker.id});
}

void Supervisor::leave(Worker& worker, Duration limit, Instant now) {
  worker.state = WorkerState::draining;
  worker.since = now;
  worker.deadline = after(now, limit);
  actions_.push_back(Drain{worker.id});
}

void Supervisor::kill(Worker& worker, Instant now) {
  worker.state = WorkerState::killed;
  worker.since = now;
  worker.deadline = no_deadline;
  actions_.push_back(Kill{worker.id});
}

// A worker that leaves the serving generation alone is not a draining generation.
void Supervisor::enforce_max_draining(Instant now) {
  std::vector<GenerationId> draining;
  for (const Worker& w : workers_) {
    if (w.leaves() && !serves(w)) draining.push_back(w.generation);
  }
  std::ranges::sort(draining);
  draining.erase(std::unique(draining.begin(), draining.end()), draining.end());
  for (; draining.size() > policy_.max_draining; draining.erase(draining.begin())) {
    for (Worker& w : workers_) {
      if (!w.leaves() || w.generation != *draining.begin()) continue;
      // One that has not even been told has that time from now on.
      const bool retiring = w.state == WorkerState::retiring;
      const Instant limit = after(retiring ? now : w.since, policy_.max_draining_grace);
      if (limit > now) {
        w.deadline = std::min(w.deadline, limit);
        w.last_call = std::min(w.last_call, policy_.max_draining_grace / 4);
      } else if (retiring) {
        leave(w, w.grace, now);
      } else {
        kill(w, now);
      }
    }
  }
}

void Supervisor::on(const HammerAsked&, Instant now) {
  for (Worker& w : workers_) {
    if (w.leaves()) kill(w, now);
  }
}

void Supervisor::on(const StopAsked& e, Instant now) {
  if (stopping_) {
    on(HammerAsked{}, now);
  } else {
    begin_stop(0, "stopped as asked", now);
  }
  if (e.by != nobody) stopping_->askers.push_back(e.by);
}

void Supervisor::begin_stop(int exit_status, std::string why, Instant now) {
  stopping_ = Stopping{exit_status, std::move(why), {}};
  for (const Respawn& r : std::exchange(respawns_, {})) {
    if (!find(r.of)) actions_.push_back(Lost{r.of, false});  // it was to be replaced
  }
  if (rollout_) abandon("graced is stopping", now);
  if (queued_) answer(std::exchange(queued_, std::nullopt)->askers, false, "graced is stopping");

  // stop_timeout is the end of it, so a retiring worker's last call and grace are part of that time.
  const Duration limit = policy_.stop_timeout;
  for (Worker& w : workers_) {
    const Duration grace = std::min(w.leaves() ? w.grace : policy_.drain_grace, limit / 2);
    const Duration until_signal = limit == infinity ? infinity : limit - grace;
    if (w.works()) {
      switch (policy_.drain) {
        case DrainRule::signal:
          leave(w, limit, now);
          break;
        case DrainRule::idle:
          retire(w, until_signal, std::min(policy_.last_call, limit / 8), grace, now);
          break;
      }
    }
    if (w.state == WorkerState::retiring) {
      w.grace = grace;
      w.last_call = std::min(w.last_call, limit / 8);
      w.deadline = std::min(w.deadline, after(now, until_signal));
    } else if (w.state == WorkerState::draining) {
      w.deadline = std::min(w.deadline, after(now, limit));
    }
  }
}

}  // namespace graced
