// The old generations that get no new connections and are about to be told to leave: that is as soon as they
// have heard from all who have just connected. Looked at at once, as there is nothing to wait for as a rule.
#pragma once

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "linux/connections/first_words.h"
#include "linux/event/loop.h"

namespace graced {

class Settlements {
 public:
  Settlements(Loop& loop, std::function<void(GenerationId)> settled)
      : loop_(loop), settled_(std::move(settled)) {}

  // `places`: where they accept. patience: see FirstWords. True: it has settled already.
  bool begin(GenerationId generation, const std::vector<std::pair<WorkerId, pid_t>>& workers,
             ArrivalPlaces places, Duration patience);

  bool is_settling(GenerationId generation) const { return settling_.contains(generation); }

  bool any() const { return !settling_.empty(); }

  // It is gone, or has been told.
  void forget(GenerationId generation, WorkerId worker);

 private:
  struct Settling {
    ArrivalPlaces places;
    Duration patience;
    std::vector<std::pair<WorkerId, FirstWords>> workers;  // those that may have somebody to hear
    Instant next_look;
    Duration pause;
  };

  bool look_at(Settling& settling, Instant until) const;
  void look();
  void look_soon();

  Loop& loop_;
  std::function<void(GenerationId)> settled_;
  std::map<GenerationId, Settling> settling_;
  Source timer_;
};

}  // namespace graced
