// The page of one instance.
#pragma once

#include <string>

#include "exporter/look.h"

namespace graced {

std::string instance_html(const Seen& seen, const Look& look);

}  // namespace graced
