// Can the candidate be reached by a probe, and by nobody else? As far as that is known before it runs.
#pragma once

#include <string>

#include "core/probe_spec.h"
#include "daemon/handoff_capabilities.h"
#include "options/options.h"

namespace graced {

// inherited: graced was started with sockets. Throws UsageError that names the addresses, or std::runtime_error
// where what carries it out is not here.
void require_reachable(const ProbeSpec& probe, const RunOptions& options, const HandoffPlan& handoff,
                       bool inherited);

// The program that carries out probes which are no commands. Throws std::runtime_error.
std::string probe_program();

}  // namespace graced
