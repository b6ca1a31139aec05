// One more descriptor of the same thing.
#pragma once

#include "linux/base/fd.h"

namespace graced {

// Another one of the same open file description, CLOEXEC. Throws std::system_error.
Fd duplicate(int fd);

}  // namespace graced
