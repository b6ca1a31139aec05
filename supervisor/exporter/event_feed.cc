#include "exporter/event_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/number.h"

namespace graced {

void EventFeed::add(std::string_view event, std::string_view json) {
  if (json.ends_with('\n')) json.remove_suffix(1);
  const std::lock_guard lock{mutex_};
  kept_.push_back({std::string(event), std::string(json)});
  if (kept_.size() <= capacity) return;
  kept_.pop_front();
  ++first_;
}

void EventFeed::begin() {
  const std::lock_guard lock{mutex_};
  first_ += kept_.size() + 1;
  kept_.clear();
}

std::uint64_t EventFeed::next() const {
  const std::lock_guard lock{mutex_};
  return first_ + kept_.size();
}

std::string EventFeed::from(std::uint64_t& number) const {
  const std::lock_guard lock{mutex_};
  std::string text;
  const auto out = std::back_inserter(text);
  if (number < first_) {
    fmt::format_to(out, "event: missed\ndata: {{\"missed\":{}}}\n\n", first_ - number);
    number = first_;
  }
  for (; number < first_ + kept_.size(); ++number) {
    const Kept& kept = kept_[number - first_];
    fmt::format_to(out, "id: {}\nevent: {}\ndata: {}\n\n", number, kept.event, kept.json);
  }
  return text;
}

std::uint64_t where_to_begin(std::optional<std::string_view> last_event_id, std::uint64_t next) {
  const auto last = last_event_id ? parse_number<std::uint64_t>(*last_event_id) : std::nullopt;
  return last && *last < next ? *last + 1 : next;
}

}  // namespace graced
