// Text of strangers made safe to show: what a worker says may hold anything.
#pragma once

#include <string>
#include <string_view>

namespace graced {

// Valid UTF-8 stays as it is, and so do tabs. Control characters (newlines too), invalid bytes and
// characters that reorder or break a line come out as \n, \r, \x1b, \u202e: one line, and nothing a
// terminal would obey.
std::string printable(std::string_view text);

// Takes the first character of a text that is not empty, and returns it as printable() shows it.
std::string take_printable(std::string_view& text);

}  // namespace graced
