// The time line as bands, a row for each generation.
#pragma once

#include <chrono>
#include <string>

#include "exporter/time_line.h"

namespace graced {

// at: what the clock on the wall says at line.now. Empty where there is nothing to be drawn.
std::string time_line_html(const TimeLine& line, std::chrono::system_clock::time_point at);

// "<time datetime=…>2026-11-29 12:30:05 UTC</time>", until the page's script puts it into the time of who
// looks.
std::string clock_html(std::chrono::system_clock::time_point at);

}  // namespace graced
