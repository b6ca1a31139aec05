// A descriptor that a newline is written to when graced serves: how s6 learns of it.
#pragma once

#include "linux/base/fd.h"

namespace graced {

class NotifyFd {
 public:
  NotifyFd() = default;  // none

  // Takes the descriptor that graced was started with; no worker gets it. Throws std::runtime_error if it
  // was given none of this number.
  explicit NotifyFd(int number);

  // Once; then it is closed. That nobody reads any more is no reason not to serve.
  void ready() noexcept;

 private:
  Fd fd_;
};

}  // namespace graced
