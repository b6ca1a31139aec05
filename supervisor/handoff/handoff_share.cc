// A candidate gets a share of the new connections, at the addresses that the serving generation has as well.
#include <fmt/format.h>

#include <exception>

#include "handoff/handoff.h"

namespace graced {

bool Handoff::share(GenerationId candidate, unsigned per_mille) {
  sharing_.reset();
  if (per_mille == 0) {
    groups_.share_no_more();
    return true;
  }
  sharing_ = Sharing{candidate, per_mille};
  bool any = false;
  for (const std::string& key : groups_.keys()) {
    const std::set<ino_t> own = listening_on(key, candidate);
    if (!own.empty() && is_served(key)) any = groups_.share(key, per_mille, own) || any;
  }
  return any;
}

// It has begun to listen, again perhaps: one that was closed to be bound anew would go on being given
// connections.
void Handoff::share_with(TrackedWorker& arrived) {
  if (!sharing_ || sharing_->candidate != arrived.generation || arrived.leaves) return;
  try {
    forget_closed(arrived);
    share(sharing_->candidate, sharing_->per_mille);
  } catch (const std::exception& e) { callbacks_.note(arrived.worker, e.what()); }
}

}  // namespace graced
