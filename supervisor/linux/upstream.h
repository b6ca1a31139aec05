// What graced tells the service manager above it, see sd_notify(3). Nothing if there is none.
#pragma once

#include <string>

#include "core/status.h"

namespace graced {

class Upstream {
 public:
  // Sends what has changed since the last time: READY=1, RELOADING=1 with MONOTONIC_USEC= (from
  // systemd 253 on they must come in one message), STOPPING=1, STATUS=.
  void tell(Phase phase, const std::string& story);

 private:
  Phase told_phase_ = Phase::starting;
  std::string told_story_;
};

}  // namespace graced
