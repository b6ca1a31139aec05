#include "core/history.h"

#include <algorithm>
#include <utility>

#include "core/utf8.h"

namespace graced {

namespace {

std::string shortened(std::string why, std::size_t most) {
  if (why.size() <= most) return why;
  const std::size_t line = std::min(why.find('\n'), why.size());
  if (line >= most) return std::string(beginning_of(why, most));
  // The first line, and the last ones of the others: a line that is cut begins at a character.
  std::size_t from = why.size() - (most - line - 1);
  while (from < why.size() && within_character(why[from])) ++from;
  return why.substr(0, line + 1) + why.substr(from);
}

}  // namespace

HistoryEntry& History::add(HistoryEntry entry) {
  entry.why = shortened(std::move(entry.why), longest_why);
  entry.why.shrink_to_fit();
  if (entries_.size() == capacity) entries_.pop_front();
  return entries_.emplace_back(std::move(entry));
}

std::vector<HistoryEntry> History::last(std::size_t most) const {
  const auto count = static_cast<std::ptrdiff_t>(std::min(most, entries_.size()));
  return {entries_.end() - count, entries_.end()};
}

}  // namespace graced
