// Between ready and the switch, where that is asked for: the candidate is probed. See probing.h.
#include <algorithm>

#include "core/supervisor.h"

namespace graced {

// All of the candidate's workers are ready, or those of its first batch.
void Supervisor::prove(Instant now) {
  const Policy& policy = *rollout_->policy;
  if (policy.probes.empty()) return try_on_some(now);
  rollout_->probing.emplace(policy.probes, policy.ready_timeout, now);
  look(now);
}

void Supervisor::look(Instant now) {
  for (const unsigned probe : rollout_->probing->due(now))
    actions_.push_back(Probe{rollout_->generation, probe});
}

void Supervisor::probes_wait(Instant now) {
  if (!rollout_ || !rollout_->probing) return;
  if (const auto why = rollout_->probing->late(now)) return abandon(*why, now);
  look(now);
}

void Supervisor::on(const ProbePassed& e, Instant now) {
  if (serving_ == e.generation) return liveness_.passed(e.probe, now);
  if (!rollout_ || rollout_->generation != e.generation || !rollout_->probing) return;
  rollout_->probing->passed(e.probe, now);
  if (rollout_->probing->all_passed()) try_on_some(now);
}

void Supervisor::on(const ProbeFailed& e, Instant now) {
  if (serving_ == e.generation) return failed_while_serving(e, now);
  if (!rollout_ || rollout_->generation != e.generation || !rollout_->probing) return;
  if (const auto why = rollout_->probing->failed(e.probe, e.saw, now)) canary_failed(*why, now);
}

}  // namespace graced
