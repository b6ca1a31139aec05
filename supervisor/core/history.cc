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

void History::add(InstanceEvent event) {
  event.reason = shortened(std::move(event.reason), longest_reason);
  event.reason.shrink_to_fit();
  if (events_.size() == capacity) {
    forgotten_ = events_.front().monotonic;
    events_.pop_front();
  }
  events_.push_back(std::move(event));
}

std::vector<InstanceEvent> History::last(std::size_t most) const {
  const auto count = static_cast<std::ptrdiff_t>(std::min(most, events_.size()));
  return {events_.end() - count, events_.end()};
}

}  // namespace graced
