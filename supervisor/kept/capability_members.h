// What this machine was found to offer.
#pragma once

#include <string>
#include <tuple>

#include "linux/adoption/adoption_capability.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<AdoptionCapability> {
  static constexpr std::tuple all{
      Named{"possible", &AdoptionCapability::possible},
      Named{"needs-no-new-privs", &AdoptionCapability::needs_no_new_privs},
      Named{"wait-killable", &AdoptionCapability::wait_killable},
      Named{"why", &AdoptionCapability::why},
  };
};

}  // namespace graced
