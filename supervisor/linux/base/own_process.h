// Who graced itself is to the kernel.
#pragma once

#include <sys/types.h>

namespace graced {

pid_t own_pid();
pid_t own_parent();
uid_t own_user();  // the effective one

}  // namespace graced
