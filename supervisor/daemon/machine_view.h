// What `graced check` tells of this machine, and of what the options come to on it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/handoff_capabilities.h"

namespace graced {

// What there is of adoption and switched handoff, a line each with what is missing and what that costs;
// with a newline at the end.
std::string machine_text(const AdoptionCapability& adoption, const SteeringProbe& steering);

// How these options' addresses get from one generation to the next, the probes, and `advice`, if there is any;
// with a newline at the end.
std::string handoff_text(const HandoffPlan& plan, const SteeringProbe& steering,
                         const std::optional<std::string>& advice = {},
                         const std::vector<ProbeRule>& rules = {});

}  // namespace graced
