// The fewest slips between two words: a letter too many, too few or wrong, or two of them swapped.
#include "core/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace graced {

namespace {

// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;

  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = a[i - 1] == b[j - 1];
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

// Words beyond this length are no slip of the finger, and comparing them would take long.
constexpr std::size_t longest = 64;

}  // namespace

std::string_view suggest(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > longest) return {};

  std::string_view best;
  // One slip in three letters, but never so many that nothing of either word is left.
  std::size_t closer_than = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const auto candidate : known) {
    const auto d = distance(word, candidate);
    if (d < closer_than && d < std::min(word.size(), candidate.size())) {
      best = candidate;
      closer_than = d;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known,
                         std::string_view otherwise, std::string_view prefix) {
  const auto meant = suggest(word, known);
  return meant.empty() ? std::string{otherwise} : fmt::format("; did you mean '{}{}'?", prefix, meant);
}

}  // namespace graced
