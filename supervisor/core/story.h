// The whole state in one line, for `systemctl status` and whoever else has room for one.
#pragma once

#include <string>

#include "core/status.h"

namespace graced {

// "generation 3 serves with 2 workers, 1 draining; the reload to generation 4 failed: exited with status 1"
std::string story_of(const Status& status);

}  // namespace graced
