#include "linux/base/own_process.h"

#include <unistd.h>

namespace graced {

pid_t own_pid() {
  return ::getpid();
}

pid_t own_parent() {
  return ::getppid();
}

uid_t own_user() {
  return ::geteuid();
}

}  // namespace graced
