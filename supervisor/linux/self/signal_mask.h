// Which signals wait until graced looks for them.
#pragma once

namespace graced {

// All but faults, which cannot wait. Before anything can run: sd-event needs its signals blocked, and one that
// comes early must wait. SIGCHLD does what it does by default from now on.
void block_signals();

// While one of these lives, SIGTERM, SIGINT and SIGQUIT end the process.
class EndingSignals {
 public:
  EndingSignals();
  ~EndingSignals();
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;
};

}  // namespace graced
