// The next graced: a supervisor that goes on from what another one has written down, now and then, and hears
// from then on what that hears. Both must decide the same, and be the same.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "core/supervisor.h"
#include "supervisor_witness.h"

namespace graced {

class Twin {
 public:
  // Its own chance: what happens to the one that is written down does not depend on it.
  Twin(std::uint64_t seed, Tally& tally) : random_(seed), tally_(tally) {}

  // After the other one has heard of it. Throws BrokenPromise.
  void sees(const Event& event, Instant now, const std::vector<Action>& actions, const Supervisor& other);

 private:
  void goes_on_from(const Supervisor& other);

  std::mt19937_64 random_;
  Tally& tally_;
  std::optional<Supervisor> core_;  // none before the first time
};

}  // namespace graced
