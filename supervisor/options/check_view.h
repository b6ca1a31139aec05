// What `graced check` prints.
#pragma once

#include <string>

#include "options/options.h"

namespace graced {

// Every option with its effective value and where that was said, what was said first, then the
// defaults; with a newline at the end. all_here: this machine has what they name. Opens nothing.
std::string check_text(const RunOptions& options, const std::vector<Setting>& settings, bool all_here = true);

}  // namespace graced
