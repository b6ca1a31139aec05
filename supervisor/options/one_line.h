// Somebody else's text made fit for one line of ours.
#pragma once

#include <string>
#include <string_view>

namespace graced {

// Control characters are written as escapes, blanks at the end left out, and what is too long for a
// message ends in "…".
std::string one_line(std::string_view text, std::size_t longest = 200);

}  // namespace graced
