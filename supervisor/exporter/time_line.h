// What each generation of an instance was, and when: told by its history to the moment, and by looks where that
// does not tell it. What is not known is not there: a band ends where it is last known to be so, and a time
// between two bands is one of which nobody knows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/instance_event.h"
#include "core/time.h"
#include "exporter/sightings.h"
#include "linux/control/control_report.h"

namespace graced {

struct Band {
  GenerationState state{};
  Instant from{};
  Instant to{};
  bool goes_on = false;  // at `to`, which is now
};

struct Mark {
  enum class Kind : std::uint8_t {
    failed,       // its reload
    rolled_back,  // it did not stand its probation
    crashed,      // a worker of it, while it served
    killed,       // workers
    gone,         // a look found it no more
  };
  Kind kind{};
  Instant at{};
  std::string what{};  // of outside; may be empty
};

struct GenerationRow {
  std::uint64_t generation = 0;
  std::vector<Band> bands{};
  std::vector<Mark> marks{};
};

struct TimeLine {
  std::vector<GenerationRow>
      rows;  // the newest first; those that live, and as many before as there is room for
  Instant now{};
};

inline constexpr std::size_t most_rows = 12;

TimeLine time_line(const InstanceReport& report, const std::vector<InstanceEvent>& history,
                   const std::vector<Sighting>& sightings, Instant now);

}  // namespace graced
