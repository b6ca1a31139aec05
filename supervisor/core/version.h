// Which version of graced this is.
#pragma once

namespace graced {

// "0.2.0". What calls itself so is the program, not the library: another program may be linked with its own.
const char* own_version();

}  // namespace graced
