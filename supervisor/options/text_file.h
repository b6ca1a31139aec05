// A small text file read whole: configuration and environment files.
#pragma once

#include <string>

namespace graced {

// Throws std::system_error (the caller names the file) if it cannot be read, and
// std::invalid_argument if it is no text or larger than a megabyte.
std::string read_text_file(const std::string& path);

}  // namespace graced
