// A line of text split into words as a shell would, and words written so that a shell reads them back.
// Quotes and backslashes only: nothing is expanded, and | ; > are letters like any other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace graced {

// Throws std::invalid_argument with one line if a quote is not closed or a backslash ends the line.
std::vector<std::string> split_shell_words(std::string_view line);

std::string join_shell_words(const std::vector<std::string>& words);

}  // namespace graced
