// What `graced check` tells of a server that is to be taken over.
#pragma once

#include <string>

#include "linux/takeover/running_server.h"
#include "options/options.h"

namespace graced {

// Who it is, its addresses, how it is ended, and what to know of it, a line each, with a newline at the end.
// What is in the way is not here: that is a complaint. Empty: nothing is to be taken over.
std::string takeover_text(const RunOptions& options, const RunningServer::Found& found);

}  // namespace graced
