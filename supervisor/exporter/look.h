// One look at all instances of this machine, as plain values.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/instance_event.h"
#include "core/time.h"
#include "exporter/sightings.h"
#include "exporter/tally.h"
#include "linux/control/control_report.h"
#include "observe/observed_instance.h"

namespace graced {

struct Seen {
  std::string name;           // one of its own among all that were looked at
  ObservedInstance observed;  // `gone`: its socket is there; it crashed, or was killed
  std::vector<InstanceEvent> history{};
  Tally tally{};
  Sightings sightings{};

  bool read() const { return observed.answer == ObservedInstance::Answer::told; }
  const InstanceReport& report() const { return observed.report; }
};

std::string_view to_text(ObservedInstance::Answer answer);

struct Look {
  Instant begun{};
  Duration took{};
  std::chrono::system_clock::time_point at{};
  std::vector<Seen> instances{};  // by name

  const Seen* find(std::string_view name) const;
};

using LookPointer = std::shared_ptr<const Look>;

}  // namespace graced
