// Lines of workers as the control socket carries them; both its ends use this.
#pragma once

#include "core/kept_output.h"
#include "linux/base/systemd.h"

namespace graced::control {

// Where they are ("kept", "journal", "nowhere"), the number to ask for next, and the lines: number,
// microseconds of the wall clock, generation, worker (the greatest number: it was a check), PID, "stdout" or
// "stderr", whether it goes on with the line that the one before of the same process and stream has begun, and
// its bytes.
inline constexpr const char* log_line_signature = "(tttuisbay)";
inline constexpr const char* log_signature = "sta(tttuisbay)";

// Both throw std::system_error.
void append_log_page(sd_bus_message* message, const LogPage& page);
LogPage read_log_page(sd_bus_message* message);

}  // namespace graced::control
