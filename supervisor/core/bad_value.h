// What readers of values have in common: how they refuse one.
#pragma once

#include <fmt/format.h>

#include <cctype>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace graced {

template <class... Args>
std::invalid_argument bad(fmt::format_string<Args...> what, Args&&... args) {
  return std::invalid_argument{fmt::format(what, std::forward<Args>(args)...)};
}

// "one, two or three", of at least two.
inline std::string in_a_row(const std::vector<std::string_view>& words) {
  const std::vector<std::string_view> but_last{words.begin(), words.end() - 1};
  return fmt::format("{} or {}", fmt::join(but_last, ", "), words.back());
}

inline std::string upper_case(std::string_view text) {
  std::string result{text};
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

}  // namespace graced
