// The exits of one worker that fit into the window, times the workers.
#include "core/start_limit.h"

#include <algorithm>
#include <cstdint>

namespace graced {

bool start_limit_can_be_reached(const Policy& policy) {
  std::uint64_t exits = 0;  // of one worker; the first one is at once
  Duration delay = policy.restart_delay;
  for (Duration at{}; at < policy.start_limit_window;) {
    if (++exits * policy.workers > policy.start_limit) return true;
    if (delay >= policy.start_limit_window - at) break;
    at += delay;
    delay = doubled_delay(policy, delay);
  }
  return false;
}

// An infinite delay has no double.
Duration doubled_delay(const Policy& policy, Duration delay) {
  const Duration limit = std::max(policy.restart_delay_limit, policy.restart_delay);
  return delay > limit / 2 ? limit : delay * 2;
}

}  // namespace graced
