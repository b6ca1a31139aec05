// What an image does that another one has called: it is tried, or it takes over (linux/upgrade/upgrade_call.h).
#pragma once

#include <memory>

#include "daemon/daemon.h"
#include "linux/upgrade/upgrade_call.h"

namespace graced {

// Nothing that these two throw may be caught before it has left main(): what was taken over would be destroyed
// on the way, and with it files that are another image's.

// On trial: all that taking over needs is done, and thrown away; the answer is whether it went well.
[[noreturn]] void be_tried(const UpgradeCall& call);

// Takes over, or goes back to the image before. `arguments` is main's argv. What is returned is this process's
// to run: see Daemon::go_on().
std::unique_ptr<Daemon> take_over(const UpgradeCall& call, char** arguments);

}  // namespace graced
