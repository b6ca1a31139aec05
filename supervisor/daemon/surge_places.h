// Can workers of a generation leave while others of it serve? Not where one is to get no new connections, and
// has no socket of its own.
#pragma once

#include "daemon/handoff_capabilities.h"
#include "options/options.h"

namespace graced {

// Where workers come in batches; nothing otherwise. Throws UsageError that names the address.
void require_batches(const RunOptions& options, const HandoffPlan& handoff);

}  // namespace graced
