#include "linux/manager/notify_fd.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <stdexcept>

namespace graced {

NotifyFd::NotifyFd(int number) {
  // What graced opened itself is CLOEXEC, what came through exec cannot be.
  const int flags = ::fcntl(number, F_GETFD);
  if (flags < 0 || (flags & FD_CLOEXEC) != 0) {
    throw std::runtime_error(fmt::format(
        "notify-fd {}: graced was started without this descriptor (for s6 its number is in the file "
        "notification-fd of the service)",
        number));
  }
  ::fcntl(number, F_SETFD, flags | FD_CLOEXEC);
  fd_.reset(number);
}

// SIGPIPE is blocked, as all signals are.
void NotifyFd::ready() noexcept {
  if (fd_) (void)!::write(fd_.get(), "\n", 1);
  fd_.reset();
}

}  // namespace graced
