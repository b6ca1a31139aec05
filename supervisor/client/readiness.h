// Whether an instance can take connections now, from what it reports: the answer to a probe.
#pragma once

#include <string>

#include "linux/control/control_report.h"

namespace graced {

struct Readiness {
  bool ready = false;
  std::string why;  // "generation 3 serves", "degraded: …", "it is stopping"
};

// Ready: at least one worker of the serving generation is, and graced was not asked to stop; so also while it
// is degraded, and not while it is down. What a candidate does, or a failed reload, is of no account.
Readiness readiness_of(const InstanceReport&);

}  // namespace graced
