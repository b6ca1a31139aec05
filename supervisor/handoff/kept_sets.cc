// The sets of sockets, as one image of graced hands them to the next.
#include "handoff/kept_listeners.h"
#include "handoff/socket_sets.h"

namespace graced {

SocketSets::Kept SocketSets::kept(ListenerNumbers& numbers) const {
  Kept kept{.tried = tried_, .last_address = last_address_, .serving = serving_, .candidate = candidate_};
  if (steering_) kept.steering = steering_->kept();
  for (const Set& set : sets_) {
    Kept::Set& k = kept.sets.emplace_back();
    k.number = set.number;
    k.told = set.told;
    for (const auto& [address, listener] : set.sockets) k.sockets.emplace(address, numbers.of(listener));
  }
  for (const auto& weak : always_shared_) {
    if (const auto listener = weak.lock()) kept.always_shared.push_back(numbers.of(listener));
  }
  return kept;
}

SocketSets::SocketSets(Callbacks callbacks, const Kept& kept, const TakenListeners& listeners)
    : callbacks_(std::move(callbacks)),
      tried_(kept.tried),
      last_address_(kept.last_address),
      serving_(kept.serving),
      candidate_(kept.candidate) {
  if (kept.steering) steering_.emplace(*kept.steering);
  for (const Kept::Set& k : kept.sets) {
    sets_.push_back({k.number, k.told, {}});
    for (const auto& [address, number] : k.sockets) add(sets_.back(), address, listeners.at(number));
  }
  for (const unsigned number : kept.always_shared) always_shared_.insert(listeners.at(number));
}

}  // namespace graced
