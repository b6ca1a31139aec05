// What is told to those who follow an instance and is not remembered in its history, the last of it: whoever
// could not be told for a while is told then.
#pragma once

#include <vector>

#include "core/history.h"
#include "core/instance_event.h"
#include "core/time.h"

namespace graced {

struct EventsSince {
  bool all = true;  // there were no others since then
  std::vector<InstanceEvent> events{};
};

class PassingEvents {
 public:
  // As many as a history has room for; the oldest goes.
  void add(const InstanceEvent& event) { last_.add(event); }

  // These and those of the history that happened later than that, the oldest first. Clients know instants to
  // the microsecond, so that is rounded down.
  EventsSince since(Instant that, const History& history) const;

  // When the last one happened that whoever takes over from here does not know: of these it knows none.
  Instant forgotten_by_next(const History& history) const;
  void take_over(Instant forgotten) { forgotten_before_ = forgotten; }

 private:
  Instant forgotten(const History& history) const;

  History last_;
  Instant forgotten_before_{};
};

}  // namespace graced
