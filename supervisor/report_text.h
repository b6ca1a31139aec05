// What `graced status` and `graced list` show to people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "linux/control_report.h"

namespace graced {

// Ends with a line feed. colour: for a terminal that wants it.
std::string report_text(const InstanceReport&, bool colour);

// One line per instance under a heading; empty without instances.
std::string list_text(const std::vector<InstanceReport>&, bool colour);

// Text of others (a worker's STATUS=, its stderr, a command) as it can be shown on a terminal: what would
// move the cursor, change colours or reverse the line comes out as \x1b and the like. A tab becomes a space.
std::string harmless(std::string_view text);

// The same line by line, each after `indent`; ends with a line feed unless `text` is empty.
std::string harmless_lines(std::string_view text, std::string_view indent);

}  // namespace graced
