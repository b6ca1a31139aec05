// When what is left of a worker's connections is closed, and it is killed; see worker.h.
#include "core/worker.h"

#include <algorithm>

namespace graced {

namespace {

constexpr Instant before(Instant at, Duration d) {
  return at == no_deadline ? no_deadline : at - d;
}

}  // namespace

void Worker::return_to_standby(Instant now) {
  state = WorkerState::standby;
  since = now;
  deadline = no_deadline;
  grace = last_call = 0s;
  drain_idle = infinity;
  closes_first = false;
}

void Worker::begin_to_retire(const Policy& policy, Duration limit, Instant now) {
  state = WorkerState::retiring;
  since = now;
  grace = std::min(policy.drain_grace, limit / 4);
  closes_first = policy.drain_idle != infinity;
  last_call = std::min(policy.last_call, closes_first ? limit / 4 : grace / 2);
  deadline = after(now, limit == infinity ? infinity : limit - grace);
  drain_idle = policy.drain_idle;
}

void Worker::hurry(const Policy& policy, Duration limit, Instant now) {
  if (state == WorkerState::retiring) {
    grace = std::min(grace, limit / 4);
    last_call = std::min(last_call, closes_first ? limit / 4 : grace / 2);
    deadline = std::min(deadline, after(now, limit == infinity ? infinity : limit - grace));
    drain_idle = std::min(drain_idle, policy.stop_idle);
  } else if (state == WorkerState::draining) {
    last_call = std::min(last_call, limit / 8);
    deadline = std::min(deadline, after(now, limit));
  }
}

WorkerStatus Worker::status() const {
  return {.worker = id,
          .generation = generation,
          .slot = slot,
          .state = state,
          .since = since,
          .deadline = deadline,
          .last_call = last_call_at(),
          .killed_at = killed_at(),
          .drain_idle = drain_idle,
          .any_pause = any_pause_from(),
          .joined = joined,
          .thrown_away = thrown_away};
}

Instant Worker::killed_at() const {
  switch (state) {
    case WorkerState::settling:
    case WorkerState::retiring:
      return after(deadline, grace);
    case WorkerState::draining:
      return deadline;
    case WorkerState::starting:
    case WorkerState::ready:
    case WorkerState::standby:
    case WorkerState::killed:
      return no_deadline;
  }
  return no_deadline;
}

Instant Worker::last_call_at() const {
  const bool retires = state == WorkerState::retiring;
  if (!leaves() || (!retires && last_call == 0s)) return no_deadline;
  if (closes_first) return retires ? before(deadline, last_call) : since;
  return before(killed_at(), last_call);
}

Instant Worker::any_pause_from() const {
  return closes_first ? before(last_call_at(), last_call) : no_deadline;
}

}  // namespace graced
