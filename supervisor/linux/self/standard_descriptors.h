// Descriptors 0, 1 and 2, for a program that may have been started without some of them.
#pragma once

namespace graced {

// Opens /dev/null where one is closed: else the first socket or file that is opened takes its number, and what
// is written to standard output or standard error goes there. To be called before anything is opened. Throws
// std::system_error.
void open_standard_descriptors();

}  // namespace graced
