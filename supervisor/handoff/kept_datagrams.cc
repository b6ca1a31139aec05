// The sockets of datagrams, as one image of graced hands them to the next.
#include <utility>

#include "handoff/datagrams.h"
#include "handoff/kept_listeners.h"

namespace graced {

Datagrams::Kept Datagrams::kept(ListenerNumbers& numbers) const {
  Kept kept{.bound = bound_,
            .serving = serving_,
            .beside = beside_,
            .joined = joined_,
            .leaving = leaving_,
            .retired = retired_,
            .emptying = emptying_,
            .past = past_,
            .left_alone = left_alone_,
            .tries = tries_,
            .to_be_told = to_be_told_};
  kept.passed = numbers.of(passed_);
  if (flows_) kept.flows = flows_->kept();
  return kept;
}

Datagrams::Datagrams(Loop& loop, Callbacks callbacks, Kept kept, const TakenListeners& listeners)
    : loop_(loop),
      callbacks_(std::move(callbacks)),
      bound_(std::move(kept.bound)),
      serving_(kept.serving),
      beside_(kept.beside),
      joined_(std::move(kept.joined)),
      leaving_(std::move(kept.leaving)),
      retired_(std::move(kept.retired)),
      emptying_(std::move(kept.emptying)),
      past_(std::move(kept.past)),
      left_alone_(std::move(kept.left_alone)),
      tries_(std::move(kept.tries)),
      to_be_told_(std::move(kept.to_be_told)) {
  passed_ = listeners.at(kept.passed);
  if (kept.flows) flows_.emplace(std::move(*kept.flows));
  look_soon();
}

}  // namespace graced
