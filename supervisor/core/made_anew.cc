#include "core/made_anew.h"

#include <algorithm>
#include <cstddef>

namespace graced {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}

// What random parts are made of; Python's have underscores.
bool is_drawn(char c) {
  return is_digit(c) || is_capital(c) || (c >= 'a' && c <= 'z') || c == '_';
}

std::size_t end_of_part(std::string_view text, std::size_t at) {
  while (at < text.size() && is_drawn(text[at])) ++at;
  return at;
}

constexpr std::size_t shortest = 6;       // mkstemp's
constexpr std::size_t shortest_also = 4;  // beside such a one: a UUID's middle
constexpr std::size_t fewest_different = 4;

enum class Part { equal, random, perhaps, other };

Part compare(std::string_view one, std::string_view other) {
  if (one == other) return Part::equal;
  if (one.size() != other.size() || one.size() < shortest_also) return Part::other;
  std::size_t different = 0;
  bool told = false;
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (one[i] == other[i]) continue;
    ++different;
    told |= is_digit(one[i]) || is_digit(other[i]) || is_capital(one[i]) || is_capital(other[i]);
  }
  const bool numbers = std::ranges::all_of(one, is_digit) && std::ranges::all_of(other, is_digit);
  return one.size() >= shortest && different >= fewest_different && told && !numbers ? Part::random
                                                                                     : Part::perhaps;
}

}  // namespace

std::string without_pids(std::string_view name, const std::set<int>& pids) {
  std::string result;
  for (std::size_t at = 0; at < name.size();) {
    std::size_t end = at;
    while (end < name.size() && is_digit(name[end])) ++end;
    if (end == at) {
      result += name[at++];
      continue;
    }
    const std::string_view digits = name.substr(at, end - at);
    const bool pid = std::ranges::any_of(pids, [&](int p) { return std::to_string(p) == digits; });
    result += pid ? "{pid}" : digits;
    at = end;
  }
  return result;
}

bool differ_at_random(std::string_view one, std::string_view other) {
  bool random = false;
  std::size_t a = 0;
  std::size_t b = 0;
  while (a < one.size() && b < other.size()) {
    const std::size_t a_end = end_of_part(one, a);
    const std::size_t b_end = end_of_part(other, b);
    const Part part = compare(one.substr(a, a_end - a), other.substr(b, b_end - b));
    if (part == Part::other) return false;
    random |= part == Part::random;
    a = a_end;
    b = b_end;
    if (a == one.size() || b == other.size()) break;
    if (one[a++] != other[b++]) return false;
  }
  return random && a == one.size() && b == other.size();
}

}  // namespace graced
