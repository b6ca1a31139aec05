// The clock that deadlines are of: it goes on evenly, whatever is done to the time of day.
#pragma once

#include <chrono>

#include "core/time.h"

namespace graced {

inline Instant now() {
  return std::chrono::steady_clock::now();
}

}  // namespace graced
