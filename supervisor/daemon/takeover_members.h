// What is known of a server that is taken over, and of its leaving.
#pragma once

#include <tuple>

#include "daemon/takeover.h"
#include "kept/takeover_members.h"
#include "state/event_members.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<Takeover::Kept::Watched> {
  using Watched = Takeover::Kept::Watched;
  static constexpr std::tuple all{Named{"pid", &Watched::pid}, Carried{"process", &Watched::process}};
};

template <>
struct Members<Takeover::Kept> {
  using Kept = Takeover::Kept;
  static constexpr std::tuple all{
      Named{"server", &Kept::server},
      Named{"stop-command", &Kept::stop_command},
      Named{"drain-signal", &Kept::drain_signal},
      Named{"watched", &Kept::watched},
      Named{"serves-alone", &Kept::serves_alone},
      Named{"told", &Kept::told},
      Named{"signalled", &Kept::signalled},
      Named{"taken", &Kept::taken},
  };
};

}  // namespace graced
