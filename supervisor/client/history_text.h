// What `graced history` shows to people.
#pragma once

#include <string>
#include <vector>

#include "core/instance_event.h"

namespace graced {

// A sentence each on a line, after the local time; last words below it. colour: for a terminal that wants it.
std::string history_text(const std::vector<InstanceEvent>& events, bool colour);

}  // namespace graced
