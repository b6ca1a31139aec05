// What `?` shows.
#pragma once

#include <cstddef>
#include <vector>

#include "top/line.h"

namespace graced {

std::vector<Line> help_page(std::size_t columns);

}  // namespace graced
