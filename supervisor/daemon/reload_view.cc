#include "daemon/reload_view.h"

#include <fmt/format.h>

#include <vector>

namespace graced {

std::string reload_text(const RunOptions& options) {
  const Policy& policy = options.policy;
  if (policy.probes.empty() && policy.canary.empty() && policy.probation == 0s) return "";
  std::vector<std::string> stages;
  if (!options.check.empty()) stages.push_back("check");
  if (!policy.probes.empty())
    stages.push_back(policy.probes.size() == 1 ? "probe" : fmt::format("{} probes", policy.probes.size()));
  for (const CanaryStep& step : policy.canary) {
    stages.push_back(fmt::format("{}{} for {}{}", share_text(step.per_mille),
                                 step == policy.canary.front() ? " of new connections" : "", to_text(step.time),
                                 policy.gated ? " and the gate" : ""));
  }
  const std::string all = policy.canary.empty() ? "it serves" : "all of them";
  stages.push_back(comes_in_batches(policy) ? fmt::format("{} in batches", all) : all);
  if (policy.probation > 0s) stages.push_back(fmt::format("probation for {}", to_text(policy.probation)));
  return fmt::format("A reload: {}.\n", fmt::join(stages, ", then "));
}

}  // namespace graced
