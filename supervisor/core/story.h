// The whole state in one line, for `systemctl status` and whoever else has room for one.
#pragma once

#include <cstdint>
#include <string>

#include "core/status.h"

namespace graced {

// "generation 3 serves with 2 workers, 1 draining; the reload to generation 4 failed: exited with status 1"
std::string story_of(const Status& status);

// "no worker of generation 3 serves", "generation 3 serves with 1 of 2 workers", "generation 3 serves".
std::string serving_text(std::uint64_t generation, std::uint64_t ready, std::uint64_t asked);

// "the next one is starting", "the next one waits until 2 workers have left": of the batches of a candidate.
std::string next_batch_text(bool under_way, unsigned leaving);

}  // namespace graced
