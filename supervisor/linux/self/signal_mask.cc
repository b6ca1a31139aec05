#include "linux/self/signal_mask.h"

#include <signal.h>

#include <initializer_list>

namespace graced {

namespace {

void change_ending_signals(int how) {
  sigset_t ends;
  ::sigemptyset(&ends);
  for (const int signo : {SIGTERM, SIGINT, SIGQUIT}) ::sigaddset(&ends, signo);
  ::sigprocmask(how, &ends, nullptr);
}

}  // namespace

// Where SIGCHLD is ignored, as some starters leave it, the kernel reaps children by itself, and nobody would
// learn how they ended.
void block_signals() {
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t all;
  ::sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) ::sigdelset(&all, fault);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

EndingSignals::EndingSignals() {
  change_ending_signals(SIG_UNBLOCK);
}

EndingSignals::~EndingSignals() {
  change_ending_signals(SIG_BLOCK);
}

}  // namespace graced
