// How much of a processor is used, from looks at what has been used so far.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/time.h"

namespace graced {

class CpuMeter {
 public:
  // Since the last look at `what`, as a share: 1 is one processor all of the time. None at the first look, or
  // where less has been used than before: then it is another one of that name.
  std::optional<double> look(const std::string& what, Duration used, Instant now);

  // Forgets what was not looked at since the last call.
  void forget_others();

 private:
  struct Look {
    Duration used;
    Instant at;
    std::optional<double> share;
    bool fresh;
  };
  std::map<std::string, Look> looks_;
};

}  // namespace graced
