// A candidate that gets a share of the new connections before it gets all of them. See canary.h.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/supervisor.h"

namespace graced {

// The candidate is ready, and has passed its probes. Where nobody serves it is what there is. Those that look
// while it serves go on, as it does for some.
void Supervisor::try_on_some(Instant now) {
  const Policy& policy = *rollout_->policy;
  if (policy.canary.empty() || !serving_ || ready_of_serving() == 0) return advance(now);
  rollout_->probing.reset();
  if (Probing goes_on = Probing::while_serving(policy.probes, now); goes_on.any())
    rollout_->probing = std::move(goes_on);
  rollout_->canary.emplace(policy.canary, policy.gated, now);
  actions_.push_back(Share{rollout_->generation, rollout_->canary->per_mille()});
}

void Supervisor::canary_waits(Instant now) {
  if (rollout_ && rollout_->canary) go_on(rollout_->canary->look(now), now);
}

void Supervisor::go_on(Canary::Next next, Instant now) {
  switch (next) {
    case Canary::Next::nothing:
      break;
    case Canary::Next::gate:
      actions_.push_back(Gate{rollout_->generation, rollout_->canary->step()});
      break;
    case Canary::Next::share:
      actions_.push_back(Share{rollout_->generation, rollout_->canary->per_mille()});
      break;
    case Canary::Next::promotion:
      advance(now);
      break;
  }
}

bool Supervisor::is_canary(GenerationId generation) const {
  return rollout_ && rollout_->generation == generation && rollout_->canary;
}

void Supervisor::on(const ShareFailed& e, Instant now) {
  if (is_canary(e.generation)) canary_failed(e.why, now);
}

void Supervisor::on(const GatePassed& e, Instant now) {
  if (is_canary(e.generation) && rollout_->canary->step() == e.step)
    go_on(rollout_->canary->gate_passed(now), now);
}

void Supervisor::on(const GateFailed& e, Instant now) {
  if (is_canary(e.generation) && rollout_->canary->waits_for_gate() && rollout_->canary->step() == e.step)
    canary_failed(fmt::format("gate: {}", e.why), now);
}

// Also of a candidate that is not that far yet.
void Supervisor::canary_failed(const std::string& why, Instant now) {
  if (!rollout_->canary) return abandon(why, now);
  abandon(fmt::format("with {} of new connections: {}", share_text(rollout_->canary->per_mille()), why), now);
}

// Nobody serves but a candidate, and nobody will soon.
bool Supervisor::nobody_serves() const {
  return std::ranges::none_of(workers_, [&](const Worker& w) { return serves(w) && w.works(); }) &&
         std::ranges::none_of(restarts_.due, [](const Respawn& r) { return r.at != no_deadline; });
}

void Supervisor::take_back_share(const Rollout& failed) {
  if (failed.canary) actions_.push_back(Share{failed.generation, 0});
}

// It has connections, which it finishes as any old generation does.
void Supervisor::finish_canary(const Rollout& failed, Instant now) {
  if (!failed.canary) return;
  for (Worker& w : workers_) {
    if (w.generation != failed.generation || !w.works()) continue;
    if (stopping_)
      leave_at_stop(w, *failed.policy, now);
    else
      tell_to_go(w, *failed.policy, policy_.settle, now);
  }
  ask_to_settle();
}

}  // namespace graced
