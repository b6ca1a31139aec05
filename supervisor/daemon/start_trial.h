// What `graced run` would refuse on this machine, found out with the same functions but without a worker, a
// socket that anybody could reach, or a file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/handoff_capabilities.h"
#include "linux/takeover/running_server.h"
#include "linux/worker/spawn.h"
#include "options/read_options.h"

namespace graced {

struct StartTrial {
  std::optional<Launch::Identity> worker;  // none: graced's own user, or one who is not here
  std::optional<HandoffPlan> handoff;      // none: what was asked for by name cannot be had
  RunningServer::Found takeover;           // of what is to be taken over
};

// Adds to `read.complaints`. A graced of that name that runs has its place and its addresses rightly. What only
// the starter of graced gives, descriptors of fd:N and --notify-fd, is not looked for.
// environment: graced's own, NAME=VALUE.
StartTrial try_start(ReadOptions& read, const std::vector<std::string>& environment,
                     HandoffCapabilities& capabilities);

}  // namespace graced
