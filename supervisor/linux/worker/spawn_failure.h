// Why a worker could not be started, in words.
#pragma once

#include "linux/worker/become_worker.h"
#include "linux/worker/spawn.h"

namespace graced {

// Names the thing and, where there is one, the way out.
SpawnFailed explain(const SpawnLayout& layout, const SpawnFailure& failure);

}  // namespace graced
