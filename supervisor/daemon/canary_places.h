// Where can new connections be shared out? Not where both generations accept from the same socket.
#pragma once

#include <string>
#include <vector>

#include "daemon/handoff_capabilities.h"
#include "options/options.h"

namespace graced {

// With a canary; nothing otherwise. As far as that is known before it runs. inherited: graced was started with
// sockets. Throws UsageError where nothing can be shared out.
void require_shareable(const RunOptions& options, const HandoffPlan& handoff, bool inherited);

// One line for each address of --listen that is shared by all generations all the same.
std::vector<std::string> not_shared_out(const RunOptions& options, const HandoffPlan& handoff);

}  // namespace graced
