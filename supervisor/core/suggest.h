// What somebody who mistyped a word may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace graced {

// The known word closest to `word`, or an empty view if none is close enough to be meant.
std::string_view suggest(std::string_view word, std::span<const std::string_view> known);

// "; did you mean 'reload'?", or `otherwise` if nothing is near: the way out at the end of a message.
// `prefix` ("--") is what all words have in front, and so says nothing about which one was meant.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known,
                         std::string_view otherwise = "", std::string_view prefix = "");

}  // namespace graced
