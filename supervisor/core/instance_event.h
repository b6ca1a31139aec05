// What happened to an instance, as it is told to those outside who act on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graced {

struct InstanceEvent {
  enum class Kind {
    serving,        // a generation serves where none did: at the start, and after a time without one
    reloaded,       // a new generation serves instead of the one before
    reload_failed,  // the generation before goes on
    promoted,       // it has stood its probation
    rolled_back,    // it has not: the generation before serves again
    crashed,        // a worker of the serving generation ended by itself
    gave_up,        // graced ends with another status than 0
    stopping,       // as asked
  };

  Kind kind;
  std::string name{};  // of the instance
  std::chrono::system_clock::time_point at{};
  std::optional<std::uint64_t> generation = std::nullopt;  // whom it is about
  std::optional<std::uint64_t> serving = std::nullopt;     // who serves from now on
  std::optional<unsigned> worker = std::nullopt;           // its slot, of `crashed`
  std::optional<int> worker_pid = std::nullopt;
  std::string reason{};  // of what went wrong; may have several lines, and anything in them
};

std::string_view to_text(InstanceEvent::Kind kind);  // "reload-failed"

// All of them, as they are written, in the order above.
std::span<const std::string_view> instance_event_kinds();
std::optional<InstanceEvent::Kind> instance_event_kind(std::string_view text);

// NAME=VALUE each: GRACED_EVENT, GRACED_EVENT_TIME, GRACED_GENERATION, GRACED_SERVING, GRACED_REASON. What is
// not known is empty. A reason is safe to show, but for its newlines, and cut where it is longer than 4096
// bytes.
std::vector<std::string> variables_of(const InstanceEvent& event);

}  // namespace graced
