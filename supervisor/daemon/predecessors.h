// Who serves before a generation of this graced does.
#pragma once

#include "daemon/takeover.h"
#include "workers/survivors.h"

namespace graced {

struct Predecessors {
  Survivors survivors;
  Takeover takeover;
};

}  // namespace graced
