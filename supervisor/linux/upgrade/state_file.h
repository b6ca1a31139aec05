// What one image tells the next: bytes in a file that is in memory only, and that nobody can change.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "linux/base/fd.h"

namespace graced {

inline constexpr std::size_t largest_state = 64 << 20;  // bytes

// CLOEXEC. Throws std::system_error; std::runtime_error where it is too large to be read.
Fd write_state(std::string_view bytes);

// All of it, wherever reading was before. `fd` is borrowed. Throws std::runtime_error: it is no such file, it
// was not sealed, or it is larger than `limit`; std::system_error.
std::string read_state(int fd, std::size_t limit = largest_state);

// Whether it is a file that write_state() has made.
bool is_state(int fd);

}  // namespace graced
