// The control socket: who waits there when graced goes on as another image.
#pragma once

#include <tuple>

#include "linux/control/control_server.h"
#include "state/members.h"

namespace graced {

template <>
struct Members<ReloadOutcome> {
  static constexpr std::tuple all{Named{"ok", &ReloadOutcome::ok},
                                  Named{"generation", &ReloadOutcome::generation},
                                  Named{"why", &ReloadOutcome::why}};
};

template <>
struct Members<ControlServer::Kept> {
  using Kept = ControlServer::Kept;
  static constexpr std::tuple all{Carried{"listening", &Kept::listening},
                                  Named{"last-request", &Kept::last_request}, Named{"moved", &Kept::moved}};
};

}  // namespace graced
