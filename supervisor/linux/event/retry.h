// Tries again after a pause, twice as long each time, for as long as there is reason to.
#pragma once

#include <functional>

#include "core/time.h"
#include "linux/event/loop.h"

namespace graced {

class Retry {
 public:
  // again: tries, and says whether to try once more. Nothing is registered with the loop before begin().
  Retry(Loop& loop, std::function<bool()> again) : loop_(loop), again_(std::move(again)) {}

  // After the shortest pause. Whoever calls it from within `again` changes nothing.
  void begin();

 private:
  void fired();

  Loop& loop_;
  std::function<bool()> again_;
  Source timer_;
  Duration pause_{};
};

}  // namespace graced
