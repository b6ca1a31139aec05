// What `graced check` tells of the course of a reload.
#pragma once

#include <string>

#include "options/options.h"

namespace graced {

// "A reload: probe, then 5% of new connections for 30s, then all of them, then probation for 10min.", with a
// newline at the end; empty where it has nothing of that.
std::string reload_text(const RunOptions& options);

}  // namespace graced
