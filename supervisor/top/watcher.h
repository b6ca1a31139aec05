// Looks each second, in a thread of its own: an instance that hangs holds up the look, not the keys.
#pragma once

#include <memory>

#include "linux/control/control_places.h"
#include "top/sight.h"

namespace graced {

class Watcher {
 public:
  explicit Watcher(ControlPlaces places);
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher();  // does not wait for a look that is under way

  // Another wish is looked after at once.
  void wish_for(Wish wish);
  void look_again();  // before the second is over

  std::shared_ptr<const Sights> sights() const;  // the last ones

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace graced
