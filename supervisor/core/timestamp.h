// A moment of the wall clock as text.
#pragma once

#include <chrono>
#include <string>

namespace graced {

// RFC 3339 in UTC, to the millisecond: "2026-11-29T20:03:08.686Z".
std::string to_timestamp(std::chrono::system_clock::time_point time);

}  // namespace graced
