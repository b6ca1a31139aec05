// Can a generation stand by while the next one serves? Not where both would accept from the same socket.
#pragma once

#include "daemon/handoff_capabilities.h"
#include "options/options.h"

namespace graced {

// With a probation; nothing otherwise. As far as that is known before it runs. inherited: graced was started
// with sockets. Throws UsageError that names the addresses.
void require_standby(const RunOptions& options, const HandoffPlan& handoff, bool inherited);

}  // namespace graced
