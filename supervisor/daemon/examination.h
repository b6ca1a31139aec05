// What looks at a candidate, besides graced itself: its check, and its probes.
#pragma once

#include "daemon/preflight.h"
#include "daemon/probe_looks.h"

namespace graced {

struct Examination {
  Preflight preflight;
  ProbeLooks looks;
};

}  // namespace graced
