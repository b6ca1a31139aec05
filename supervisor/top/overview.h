// All instances, one on a line.
#pragma once

#include <cstddef>
#include <vector>

#include "options/top_sort.h"
#include "top/line.h"
#include "top/sight.h"

namespace graced {

// By the key: names and phases from first to last (trouble comes first), amounts from the greatest down. What
// is not known comes last. Of equals the name decides.
std::vector<const Sight*> sorted(const Sights&, TopSort);

// A heading and a line for each, in so many columns.
std::vector<Line> overview(const std::vector<const Sight*>&, TopSort, std::size_t columns);

// "12 instances, 1 without an answer, by name".
std::string summary(const Sights&, TopSort);

}  // namespace graced
