// Into the background, as daemon(7) describes it for SysV: whoever started graced gets its terminal back
// when graced serves, and an exit status that says whether it does.
#pragma once

#include <string>

#include "linux/base/fd.h"

namespace graced {

// Held by the process in the background. Gone without a word, the one in front reports a failure.
class Background {
 public:
  // In the process that called it this does not return: it waits for a word and exits with 0, or with the
  // status and the reason of the failure. The one that goes on has another PID, a session of its own and no
  // terminal. Standard input is /dev/null there, and so is output unless it is a file. keep_error: that goes
  // for standard error only once it is ready. Throws std::system_error.
  static Background enter(bool keep_error);

  void ready();

  void failed(int exit_status, const std::string& why);

 private:
  explicit Background(Fd front) : front_(std::move(front)) {}

  Fd front_;  // a pipe to the process in front
};

}  // namespace graced
