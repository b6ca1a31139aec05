// Survivors: what a graced that was killed has left serves until a generation of this one does, and leaves as
// that graced's workers would have, at a stop within the time that workers have then.
#include <algorithm>

#include "core/supervisor.h"

namespace graced {

void Supervisor::on(const SurvivorsFound&, Instant) {
  if (!survivors_) survivors_.emplace();
}

void Supervisor::on(const SurvivorsGone&, Instant) {
  survivors_.reset();
}

// Where they drain already: limit is what they have from now on at most.
void Supervisor::drain_survivors(Duration limit, Instant now) {
  if (!survivors_ || survivors_->state == WorkerState::killed) return;
  if (survivors_->state == WorkerState::draining) {
    if (stopping_) survivors_->deadline = std::min(survivors_->deadline, after(now, limit));
    return;
  }
  survivors_ = SurvivorsStatus{WorkerState::draining, now, after(now, limit)};
  actions_.push_back(DrainSurvivors{});
}

void Supervisor::kill_survivors(Instant now) {
  survivors_ = SurvivorsStatus{WorkerState::killed, now, no_deadline};
  actions_.push_back(KillSurvivors{});
}

// Where graced gives up they may be all that serves, and are left to whoever comes next.
bool Supervisor::waits_for_survivors() const {
  return survivors_ && stopping_ && stopping_->exit_status == 0;
}

}  // namespace graced
