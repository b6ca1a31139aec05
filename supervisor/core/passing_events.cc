#include "core/passing_events.h"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace graced {

namespace {

Instant rounded_down(Instant at) {
  return std::chrono::floor<std::chrono::microseconds>(at);
}

bool is_earlier(const InstanceEvent& a, const InstanceEvent& b) {
  return a.monotonic < b.monotonic;
}

}  // namespace

Instant PassingEvents::forgotten(const History& history) const {
  return std::max({forgotten_before_, last_.forgotten(), history.forgotten()});
}

Instant PassingEvents::forgotten_by_next(const History& history) const {
  const std::vector<InstanceEvent> last = last_.last(1);
  return last.empty() ? forgotten(history) : std::max(forgotten(history), last.front().monotonic);
}

EventsSince PassingEvents::since(Instant that, const History& history) const {
  const std::vector<InstanceEvent> remembered = history.last(History::capacity);
  const std::vector<InstanceEvent> passing = last_.last(History::capacity);
  EventsSince found{rounded_down(forgotten(history)) <= rounded_down(that), {}};
  std::ranges::merge(remembered, passing, std::back_inserter(found.events), is_earlier);
  std::erase_if(found.events,
                [&](const InstanceEvent& e) { return rounded_down(e.monotonic) <= rounded_down(that); });
  return found;
}

}  // namespace graced
