// What has happened, kept for those who read it as it comes: the last of it, whoever is slow misses the rest
// and is told so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace graced {

class EventFeed {
 public:
  static constexpr std::size_t capacity = 512;

  // json: one line, with its end or without.
  void add(std::string_view event, std::string_view json);

  // From here on it goes on after a time in which nothing was added, whatever happened: who comes back from
  // before has missed something.
  void begin();

  // The number of the next event.
  std::uint64_t next() const;

  // All from this number on as server-sent events, and the number goes on behind them; where some of them are
  // forgotten, an event "missed" comes first. Empty: there is nothing new.
  std::string from(std::uint64_t& number) const;

 private:
  struct Kept {
    std::string event;
    std::string json;
  };
  mutable std::mutex mutex_;
  std::uint64_t first_ = 1;  // of those that are kept
  std::deque<Kept> kept_;
};

// Where a reader that comes back goes on: behind the number in its Last-Event-ID. Else, and where that is of
// another exporter, with what comes next.
std::uint64_t where_to_begin(std::optional<std::string_view> last_event_id, std::uint64_t next);

}  // namespace graced
