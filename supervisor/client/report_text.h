// What `graced status` shows to people.
#pragma once

#include <string>
#include <string_view>

#include "linux/control/control_report.h"

namespace graced {

// Ends with a line feed. colour: for a terminal that wants it.
std::string report_text(const InstanceReport&, bool colour);

// Lines of others (a worker's stderr, the reason of a failure) as they can be shown on a terminal, each
// after `indent`; ends with a line feed unless `text` is empty.
std::string printable_lines(std::string_view text, std::string_view indent);

}  // namespace graced
