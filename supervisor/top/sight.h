// What graced-top knows at a moment.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/instance_event.h"
#include "linux/control/control_places.h"
#include "observe/observed_instance.h"

namespace graced {

// An instance: that it is there, and what was seen of it if it was looked at. Shares of a processor are as
// CpuMeter has them.
struct Sight {
  Found found;
  std::optional<ObservedInstance> seen{};
  std::optional<double> cpu{};  // of its workers
  std::map<std::uint64_t, double> generation_cpu{};
  std::optional<double> supervisor_cpu{};

  std::string name() const { return seen ? seen->name : found.name; }
  bool told() const { return seen && seen->answer == ObservedInstance::Answer::told; }
};

struct Sights {
  std::vector<Sight> instances{};        // by name
  std::vector<InstanceEvent> history{};  // of the one that is opened, the oldest first
  std::string trouble{};                 // why nothing could be looked at; empty: it could
  std::size_t number = 0;                // of the look; 0: there was none yet
};

// Which instances are worth a look, as each look wakes them.
struct Wish {
  enum class Which { page, all, one };
  Which which = Which::page;
  std::size_t first = 0;  // of a page, by name
  std::size_t count = 0;
  std::string control{};  // of one

  friend bool operator==(const Wish&, const Wish&) = default;
};

}  // namespace graced
