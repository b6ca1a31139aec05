// Addresses: what another image of this process takes over.
#include <utility>

#include "daemon/addresses.h"
#include "daemon/kept_addresses.h"

namespace graced {

Addresses::Kept Addresses::kept(ListenerNumbers& listeners, ArtefactNumbers& artefacts) const {
  Kept kept;
  for (const auto& [generation, plan] : plans_)
    kept.plans.emplace(generation, kept_plan(plan, listeners, artefacts));
  kept.starts_at_once = starts_at_once_;
  kept.store = keeper_.kept();
  kept.sets = sets_.kept(listeners);
  kept.handoff = handoff_.kept(listeners);
  kept.watch = listener_watch_.kept(listeners);
  return kept;
}

Addresses::Addresses(Others others, std::string spare_place, SocketKeeper::Variables variables,
                     Callbacks callbacks, Kept kept, const TakenParts& parts)
    : o_(others),
      spare_place_(std::move(spare_place)),
      keeper_(o_.manager, std::move(variables), std::move(kept.store)),
      sets_(set_callbacks(), kept.sets, parts.listeners),
      starts_at_once_(kept.starts_at_once),
      handoff_(o_.loop, handoff_callbacks(std::move(callbacks)), std::move(kept.handoff), parts.listeners),
      settlements_(o_.loop, when_settled()),
      listener_watch_(o_.loop, when_shut(), when_reached(), kept.watch, parts.listeners) {
  for (auto& [generation, plan] : kept.plans)
    plans_.emplace(generation, taken_plan(std::move(plan), parts.invocation, parts.listeners, parts.artefacts));
}

std::vector<int> Addresses::descriptors() const {
  std::vector<int> all = handoff_.descriptors();
  if (const int watch = listener_watch_.descriptor(); watch >= 0) all.push_back(watch);
  return all;
}

}  // namespace graced
