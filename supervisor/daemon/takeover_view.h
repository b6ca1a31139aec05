// What is told of a server that is to be taken over, before it is.
#pragma once

#include <string>
#include <vector>

#include "daemon/handoff_capabilities.h"
#include "linux/takeover/running_server.h"
#include "options/options.h"

namespace graced {

// One line each; with any it is not taken over.
std::vector<std::string> takeover_obstacles(const RunningServer::Found& found, const HandoffPlan& handoff);

// Who it is, its addresses, how it is ended, and what to know of it, a line each, with a newline at the end.
// What is in the way is not here: that is a complaint. Empty: nothing is to be taken over.
std::string takeover_text(const RunOptions& options, const RunningServer::Found& found);

}  // namespace graced
