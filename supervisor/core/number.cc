// Sizes with a suffix, and yes or no.
#include "core/number.h"

#include <limits>

#include "core/bad_value.h"

namespace graced {

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view suffixes = "KMGT";
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();

  unsigned shift = 0;
  if (!text.empty()) {
    if (const auto at = suffixes.find(text.back()); at != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(at) + 1);
      text.remove_suffix(1);
    }
  }
  const auto number = parse_number<std::uint64_t>(text, 0, most >> shift);
  if (!number) return std::nullopt;
  return *number << shift;
}

bool yes_or_no(std::string_view text) {
  if (text == "yes" || text == "true" || text == "on" || text == "1") return true;
  if (text == "no" || text == "false" || text == "off" || text == "0") return false;
  throw bad("'{}' is neither yes nor no", text);
}

}  // namespace graced
