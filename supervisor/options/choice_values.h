// Values that are one of a few words, as those of option_values.h.
#pragma once

#include <string>
#include <string_view>

#include "options/options.h"

namespace graced {

AdoptChoice read_adopt(std::string_view text);
DrainChoice read_drain(std::string_view text);
RestartRule read_restart(std::string_view text);
OutputChoice read_output(std::string_view text);
LogFormat read_log_format(std::string_view text);
LogLevel read_log_level(std::string_view text);
bool read_adopt_changes(std::string_view text);
bool read_watch(std::string_view text);

std::string to_text(AdoptChoice choice);
std::string to_text(DrainChoice choice);
std::string to_text(RestartRule rule);
std::string to_text(OutputChoice choice);
std::string to_text(LogFormat format);
std::string to_text(LogLevel level);

// Or "after:TIME".
void read_ready(std::string_view text, Policy& policy);
std::string ready_text(const Policy& policy);

}  // namespace graced
