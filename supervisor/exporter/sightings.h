// What the looks at one instance have seen of its generations that its history does not tell: since when a
// candidate was ready, until when an old one drained. Of the time between two looks it is known only what did
// not change over it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "linux/control/control_report.h"

namespace graced {

enum class GenerationState : std::uint8_t { start, ready, canary, serving, standby, draining };
std::string_view to_text(GenerationState);

// In the order of their numbers; those that have neither a worker nor a part in a reload are not there.
struct GenerationNow {
  std::uint64_t generation;
  GenerationState state;
};
std::vector<GenerationNow> generations_now(const InstanceReport&);

struct Sighting {
  std::uint64_t generation = 0;
  GenerationState state{};
  Instant first{};
  Instant last{};
  std::optional<Instant> gone{};  // the first look that did not find the generation any more
};

class Sightings {
 public:
  static constexpr std::size_t most = 128;  // of which the oldest are forgotten

  // Another graced in its place (by its PID) has generations of its own.
  void take(const InstanceReport& report, Instant now);

  const std::vector<Sighting>& all() const { return all_; }  // the oldest first

 private:
  std::int32_t pid_ = 0;
  std::vector<Sighting> all_;
};

}  // namespace graced
