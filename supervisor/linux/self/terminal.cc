// tty(4): opening /dev/tty says ENXIO where there is no controlling terminal.
#include "linux/self/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "linux/base/fd.h"

namespace graced {

bool has_terminal() {
  return static_cast<bool>(Fd(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)));
}

bool outlives_terminal() {
  struct sigaction action {};
  return ::sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

std::size_t terminal_columns(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// By SIGTSTP, whose default the kernel leaves out in a process group that no shell looks after.
void stop_as_job() {
  sigset_t stop;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTSTP);
  ::kill(::getpid(), SIGTSTP);
  ::sigprocmask(SIG_UNBLOCK, &stop, nullptr);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
}

}  // namespace graced
