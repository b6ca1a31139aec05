// The executable file that this process was started from.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace graced {

// Where it lay: another one may lie there by now. Throws std::system_error.
std::string own_image_path();

// Whether that process runs the same file; nothing: it cannot be told.
std::optional<bool> has_own_image(pid_t process);

}  // namespace graced
