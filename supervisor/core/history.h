// What happened to an instance and mattered, as it is remembered: the last of it, each within bounds.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "core/instance_event.h"
#include "core/members.h"
#include "core/time.h"

namespace graced {

class History {
 public:
  static constexpr std::size_t capacity = 64;
  static constexpr std::size_t longest_reason = 2048;  // bytes

  // The oldest goes where there are too many. Of last words that are too long the first are left out.
  void add(InstanceEvent event);

  std::vector<InstanceEvent> last(std::size_t most) const;  // the oldest first

  // When the last one happened for which there was no room any more; Instant{}: there was for all.
  Instant forgotten() const { return forgotten_; }

 private:
  template <class>
  friend struct Members;

  std::deque<InstanceEvent> events_;
  Instant forgotten_{};
};

}  // namespace graced
