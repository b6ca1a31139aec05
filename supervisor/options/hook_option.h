// --on EVENT[,EVENT…]=COMMAND.
#pragma once

#include <string_view>

#include "options/options.h"

namespace graced {

// Throws std::invalid_argument with one line about the value.
Hook read_hook(std::string_view text);

}  // namespace graced
