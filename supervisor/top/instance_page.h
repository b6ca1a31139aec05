// One instance that is opened: everything that is known of it, from top to bottom.
#pragma once

#include <cstddef>
#include <vector>

#include "core/instance_event.h"
#include "top/line.h"
#include "top/sight.h"

namespace graced {

// As many lines as it takes, each within so many columns.
std::vector<Line> instance_page(const Sight&, const std::vector<InstanceEvent>& history, std::size_t columns);

}  // namespace graced
