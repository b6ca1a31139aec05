// A process by a descriptor, which never means another one that got its number.
#pragma once

#include <sys/types.h>

#include "linux/base/fd.h"

namespace graced {

// Readable once the process has ended. None, with errno, if there is no such process.
Fd open_pidfd(pid_t process);

// A duplicate of descriptor `number` of the process, which needs the right to trace it. None, with errno.
Fd copy_descriptor(const Fd& pidfd, int number);

}  // namespace graced
