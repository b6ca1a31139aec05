// An instance's event as the JSON that programs read.
#pragma once

#include <string>

#include "core/instance_event.h"

namespace graced {

// One object on one line, ASCII, with a newline at its end. What is not known is null. Its members: "schema"
// (1), "event", "time" (RFC 3339), "name", "generation", "serving", "worker", "worker_pid" and "reason".
std::string to_json(const InstanceEvent& event);

}  // namespace graced
