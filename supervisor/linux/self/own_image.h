// The executable file that this process was started from.
#pragma once

#include <string>

namespace graced {

// Where it lay: another one may lie there by now. Throws std::system_error.
std::string own_image_path();

}  // namespace graced
