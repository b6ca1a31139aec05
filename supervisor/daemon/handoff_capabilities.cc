// What was asked for by name and cannot be had is an error; what is only the default gives way.
#include "daemon/handoff_capabilities.h"

#include <fmt/format.h>

#include <algorithm>

#include "linux/base/own_process.h"

namespace graced {

const AdoptionCapability& HandoffCapabilities::adoption(const Launch::Identity* worker) {
  const uid_t user = worker ? worker->uid : own_user();
  if (!adoption_ || adoption_of_ != user) {
    adoption_ = probe_adoption(worker);
    adoption_of_ = user;
  }
  return *adoption_;
}

const SteeringProbe& HandoffCapabilities::steering() {
  if (!steering_) steering_ = probe_steering();
  return *steering_;
}

// By the user that graced itself is: for another one it has the same rights as before, or they are missed
// already.
std::string HandoffCapabilities::lost() const {
  if (adoption_ && adoption_->possible) {
    if (const AdoptionCapability now = probe_adoption(); !now.possible)
      return fmt::format("it could not adopt what workers bind any more: {}", now.why);
  }
  if (steering_ && steering_->method != SteeringMethod::none) {
    if (const SteeringProbe now = probe_steering(); now.method > steering_->method)  // the best is first
      return fmt::format("it could not direct new connections as they are now: {}", now.why);
  }
  return "";
}

HandoffPlan HandoffCapabilities::plan_for(const RunOptions& options, bool inherited,
                                          const Launch::Identity* worker) {
  HandoffPlan plan;
  plan.max_draining = options.policy.max_draining;
  plan.probation = options.policy.probation;
  plan.workers = options.policy.workers;
  plan.batch = options.policy.max_surge.of(plan.workers);

  const bool by_itself = options.adopt == AdoptChoice::automatic && options.listen.empty() && !inherited;
  if (options.adopt == AdoptChoice::on || by_itself) {
    const AdoptionCapability& probe = plan.adoption = adoption(worker);
    plan.adopt = probe.possible;
    if (!probe.possible) {
      if (!by_itself) throw UsageError(fmt::format("adopt=on cannot be had here: {}", probe.why));
      plan.notes.push_back(fmt::format(
          "not adopting the addresses that the command binds: {}; a reload then works with --listen only",
          probe.why));
    } else if (!probe.why.empty()) {
      plan.notes.push_back(probe.why);
    }
  }

  const auto is_udp = [](const ListenSpec& spec) { return spec.kind == AddressKind::udp; };
  plan.datagrams = std::ranges::any_of(options.listen, is_udp) && steering().method != SteeringMethod::none;

  const bool idle = options.drain == DrainChoice::idle;
  const bool probed = !options.probes.empty();
  const bool kept = options.policy.probation > 0s;
  const bool tried = !options.policy.canary.empty();
  plan.switched = plan.adopt || idle || probed || tried || kept;
  plan.sets = !plan.switched && !comes_in_batches(options.policy);  // both generations serve for a while
  if (!plan.switched) return plan;

  const SteeringProbe& probe = steering();
  switch (probe.method) {
    case SteeringMethod::ebpf:
    case SteeringMethod::cbpf:
      break;
    case SteeringMethod::none:
      if (probed) throw UsageError(fmt::format("probe cannot be had here: {}", probe.why));
      if (tried) throw UsageError(fmt::format("canary cannot be had here: {}", probe.why));
      if (kept) throw UsageError(fmt::format("probation cannot be had here: {}", probe.why));
      if (idle) throw UsageError(fmt::format("drain=idle cannot be had here: {}", probe.why));
      plan.notes.push_back(fmt::format("old workers are signalled at once: {}", probe.why));
      return plan;
  }
  if (!probe.why.empty()) plan.notes.push_back(probe.why);
  plan.settles =
      options.drain == DrainChoice::signal || (options.drain == DrainChoice::automatic && !plan.adopt);
  if (!plan.settles) plan.drain = DrainRule::idle;
  return plan;
}

}  // namespace graced
