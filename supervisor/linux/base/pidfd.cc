// pidfd_open(2), pidfd_getfd(2).
#include "linux/base/pidfd.h"

#include <sys/syscall.h>

namespace graced {

Fd open_pidfd(pid_t process) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

Fd copy_descriptor(const Fd& pidfd, int number) {
  return Fd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), number, 0)));
}

}  // namespace graced
