// Somebody else's text made fit for one line of ours.
#pragma once

#include <string>
#include <string_view>

namespace graced {

// As printable(), and tabs come out as \t. Blanks at the end are left out, and what is longer than `longest`
// bytes ends in "…".
std::string one_line(std::string_view text, std::size_t longest = 200);

}  // namespace graced
