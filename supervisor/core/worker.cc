// When what is left of a worker's connections is closed, and it is killed; see worker.h.
#include "core/worker.h"

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
