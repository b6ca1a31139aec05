// While a generation serves it may be probed as well. Where that fails it is rolled back, if one stands by;
// else another one of the same is started beside it, and takes its place once it is ready and its probes have
// passed. Until then the one that fails goes on: some of its clients may still be served. A reload that
// somebody asks for is worth more, as its candidate replaces the one that fails as well.
#include <algorithm>
#include <utility>

#include "core/supervisor.h"

namespace graced {

void Supervisor::watch_serving(bool of_same, Instant now) {
  liveness_.watch(policy_, of_same, now);
}

// Where nobody is ready it is known that nobody answers. Who has joined from a candidate is none of it.
bool Supervisor::can_be_watched() const {
  return !stopping_ && std::ranges::any_of(workers_, [&](const Worker& w) {
    return serving_ == w.generation && w.state == WorkerState::ready;
  });
}

void Supervisor::look_at_serving(Instant now) {
  if (!can_be_watched()) return;
  for (const unsigned probe : liveness_.due(now)) actions_.push_back(Probe{*serving_, probe});
}

void Supervisor::failed_while_serving(const ProbeFailed& e, Instant now) {
  if (!can_be_watched()) return liveness_.saw_nobody(e.probe, now);
  const bool ails = liveness_.failed(e.probe, e.saw, policy_, now);
  if (!liveness_.failure()) return;
  if (probation_) return roll_back(*liveness_.failure(), now, true);
  if (ails) actions_.push_back(Ailing{*serving_, *liveness_.failure(), liveness_.next_attempt()});
}

bool Supervisor::may_replace() const {
  return can_be_watched() && !rollout_ && !queued_ && !probation_;
}

void Supervisor::replace_failed(Instant now) {
  if (!may_replace() || liveness_.next_attempt() > now) return;
  liveness_.attempt_begins(now);
  const GenerationId generation{++counts_.last_generation};
  rollout_ = Rollout{generation, {}, now, after(now, policy_.ready_timeout)};
  rollout_->replaces = Replacing{*serving_, *liveness_.failure()};
  actions_.push_back(Prepare{generation, *serving_});
}

// Another one of the same has nothing more to prove.
void Supervisor::as_no_new_build(Policy& policy) {
  policy.probation = 0s;
  policy.canary.clear();
}

// It serves, and the one that had failed leaves.
void Supervisor::replaced(const Replacing& what, Instant now) {
  counts_.restarts += policy_.workers;
  liveness_.last_replacement = ReplacementStatus{what.generation, *serving_, true, what.why, now};
  actions_.push_back(Replaced{what.generation, *serving_, what.why});
}

void Supervisor::not_replaced(const Rollout& failed, const std::string& why, Instant now) {
  if (failed.replaces->generation != *serving_) return;
  liveness_.attempt_failed(policy_, now);
  liveness_.last_replacement = ReplacementStatus{*serving_, failed.generation, false, why, now};
}

Instant Supervisor::next_of_liveness() const {
  if (!can_be_watched()) return no_deadline;
  return std::min(liveness_.next_look(), may_replace() ? liveness_.next_attempt() : no_deadline);
}

}  // namespace graced
