// Who serves before a generation of this graced does.
#pragma once

#include <utility>

#include "daemon/takeover.h"
#include "workers/survivors.h"

namespace graced {

struct Predecessors {
  Survivors survivors;
  Takeover takeover;

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    Survivors::Kept survivors{};
    Takeover::Kept takeover{};
  };
  Kept kept() const { return {survivors.kept(), takeover.kept()}; }
  void take_over(Kept kept) {
    survivors.take_over(std::move(kept.survivors));
    takeover.take_over(std::move(kept.takeover));
  }
};

}  // namespace graced
