// The answers to a call that comes to nothing. Results are those of sd-bus.
#pragma once

#include <string>

#include "linux/base/systemd.h"
#include "linux/control/control_connection.h"

namespace graced {

// Only root and graced's own uid may do what was asked.
int deny(const ControlConnection& connection, sd_bus_error* error);

// name: of the D-Bus error. why: any bytes, may have several lines.
int reply_error(sd_bus_message* call, const char* name, const std::string& why);

}  // namespace graced
