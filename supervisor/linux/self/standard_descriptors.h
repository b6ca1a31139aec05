// Descriptors 0, 1 and 2, for a program that may have been started without some of them.
#pragma once

#include <string_view>

#include "linux/base/fd.h"

namespace graced {

// Opens /dev/null where one is closed: else the first socket or file that is opened takes its number, and what
// is written to standard output or standard error goes there. To be called before anything is opened. Throws
// std::system_error.
void open_standard_descriptors();

// /dev/null, to read and to write. Throws std::system_error.
Fd open_dev_null();

// All of it, waiting for whoever reads. What cannot be written is lost: there is nowhere left to say so.
void write_to_standard_error(std::string_view text);

}  // namespace graced
