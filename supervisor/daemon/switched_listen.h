// The addresses of --listen, before anything is bound there.
#pragma once

#include <string>

#include "daemon/handoff_capabilities.h"
#include "options/options.h"

namespace graced {

// Each generation can have a socket of its own there, so that the kernel is told whose is next.
bool is_switched(const ListenSpec& spec);

// Likewise of UDP, where all goes over when the next generation serves.
bool has_own_datagrams(const ListenSpec& spec, const RunOptions& options, const HandoffPlan& handoff);

// All of them, as in "8080, unix:/run/a.sock"; empty if there are none.
std::string addresses_of(const RunOptions& options);

}  // namespace graced
