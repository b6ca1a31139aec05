// A small text file read whole: configuration and environment files.
#pragma once

#include <functional>
#include <string>

namespace graced {

// Throws std::system_error (the caller names the file) if it cannot be read, and
// std::invalid_argument if it is no text or larger than a megabyte. A mark of the byte order (U+FEFF) that some
// editors put first is left out. Waits for as long as the file makes it wait: a FIFO until somebody writes to
// it.
std::string read_text_file(const std::string& path);

// The same for those who have read the file elsewhere.
using ReadText = std::function<std::string(const std::string& path)>;

}  // namespace graced
