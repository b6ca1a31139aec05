#include "linux/base/duplicate.h"

#include <fcntl.h>

#include "linux/base/sys_error.h"

namespace graced {

Fd duplicate(int fd) {
  Fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) throw sys_error("duplicate a descriptor");
  return copy;
}

}  // namespace graced
