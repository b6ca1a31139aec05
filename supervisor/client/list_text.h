// What `graced list` shows to people.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "linux/control/control_report.h"

namespace graced {

// One line per instance under a heading; empty without instances. colour: for a terminal that wants it.
// columns: of the terminal, 0: any number. Where they do not suffice, what is needed least is shortened or left
// out; the names never are.
std::string list_text(const std::vector<InstanceReport>&, bool colour, std::size_t columns = 0);

}  // namespace graced
