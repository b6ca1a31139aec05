// What becomes of the addresses of --listen that come or go with a reload. Each function returns a line for
// each thing that a person should know.
#pragma once

#include <string>
#include <vector>

#include "daemon/plan.h"

namespace graced {

// New addresses are opened hidden. A line for each that graced can hide only by dropping new connections (see
// Hidden::Way), or not at all.
std::vector<std::string> kept_waiting(const Plan& candidate);

// It serves: its new addresses get connections.
std::vector<std::string> show_addresses(const Plan& serving);

// Whether one of the addresses of the generation before is none of its.
bool any_is_gone(const Plan& before, const Plan& serving);

// Where it does not listen any more nobody is let in, though the workers of the one before still accept.
std::vector<std::string> refuse_gone_addresses(const Plan& before, const Plan& serving);

}  // namespace graced
