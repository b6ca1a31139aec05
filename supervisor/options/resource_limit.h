// The value of --rlimit, as those of option_values.h.
#pragma once

#include <string_view>

#include "options/options.h"

namespace graced {

// "nofile=65536" or "nofile=1024:65536": soft and hard. Names as in setrlimit(2), without RLIMIT_.
ResourceLimit read_resource_limit(std::string_view text);

}  // namespace graced
