// A file that is in memory only, for what another process is to read.
#pragma once

#include <string_view>

#include "linux/base/fd.h"

namespace graced {

// Holds `text`, nobody can change it, and reading begins at its start. `name` is what /proc shows of it. Throws
// std::system_error.
Fd make_memory_file(const char* name, std::string_view text);

}  // namespace graced
