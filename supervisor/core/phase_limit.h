// Until when the present phase may last: what a service manager with timeouts of its own must know.
#pragma once

#include <optional>

#include "core/status.h"

namespace graced {

// `no_deadline`: as long as it takes. nullopt: nobody waits for its end (serving), or nothing is waited for
// but the end of killed processes. `next_deadline` is the supervisor's.
std::optional<Instant> phase_limit(const Status&, Instant next_deadline);

}  // namespace graced
