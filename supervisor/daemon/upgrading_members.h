// What came of upgrades, and of the one that a state is written for.
#pragma once

#include <tuple>

#include "daemon/upgrading.h"
#include "state/event_members.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<UpgradeOutcome> {
  static constexpr std::tuple all{
      Named{"token", &UpgradeOutcome::token}, Named{"ok", &UpgradeOutcome::ok},
      Named{"why", &UpgradeOutcome::why},     Named{"from", &UpgradeOutcome::from},
      Named{"to", &UpgradeOutcome::to},
  };
};

template <>
struct Members<Upgrading::Kept> {
  using Kept = Upgrading::Kept;
  static constexpr std::tuple all{
      Named{"last", &Kept::last},
      Named{"last-at", &Kept::last_at},
      Named{"upgraded-from", &Kept::upgraded_from},
      Named{"upgraded-at", &Kept::upgraded_at},
      Named{"upgrades", &Kept::upgrades},
      Named{"failed", &Kept::failed},
      Named{"by", &Kept::by},
      Named{"image", &Kept::image},
      Named{"untold", &Kept::untold},
  };
};

}  // namespace graced
