// signalfd(2).
#include "linux/self/rare_signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "linux/base/sys_error.h"

namespace graced {

RareSignals::RareSignals(const std::vector<int>& others) {
  sigset_t rare;
  ::sigfillset(&rare);
  for (const int signo : others) ::sigdelset(&rare, signo);
  // A write to somebody who has gone, a child, a file that grew too large, the terminal.
  for (const int signo : {SIGPIPE, SIGCHLD, SIGCONT, SIGXFSZ, SIGTTIN, SIGTTOU, SIGURG})
    ::sigdelset(&rare, signo);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) ::sigdelset(&rare, fault);
  fd_.reset(::signalfd(-1, &rare, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw sys_error("watch signals");
}

std::optional<RareSignals::Received> RareSignals::next() {
  for (;;) {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    const bool sent = info.ssi_code == SI_USER || info.ssi_code == SI_QUEUE || info.ssi_code == SI_TKILL;
    if (sent) return Received{static_cast<int>(info.ssi_signo), static_cast<int>(info.ssi_pid)};
  }
}

}  // namespace graced
