// Text that goes through a pipe piece by piece.
#pragma once

#include <string>
#include <string_view>

namespace graced {

// Waits where the descriptor makes it wait. Throws std::system_error.
void write_all(int fd, std::string_view text);

// What is there now, at most 64 KiB; `ended` is set when all writers are gone.
std::string read_available(int fd, bool& ended);

}  // namespace graced
