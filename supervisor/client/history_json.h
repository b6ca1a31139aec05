// `graced history --json`: for programs, so names and units stay as they are. graced-control(7) tells what they
// mean.
#pragma once

#include <string>
#include <vector>

#include "core/history.h"

namespace graced {

// One object, indented, ends with a line feed. Bytes that are not UTF-8 become U+FFFD.
std::string history_json(const std::string& name, const std::vector<HistoryEntry>& entries);

}  // namespace graced
