// The start limit and the restart delay decide together when graced gives up.
#pragma once

#include "core/policy.h"

namespace graced {

// Whether workers that exit as soon as they are started can ever be too many: a delay that doubles may leave
// too few exits within the window.
bool start_limit_can_be_reached(const Policy& policy);

// What the one after the next restart waits, if the next one waits `delay`: twice as long, up to the limit.
Duration doubled_delay(const Policy& policy, Duration delay);

}  // namespace graced
