// How a process ended, in words and as a shell would count it.
#pragma once

#include <string>

namespace graced {

struct Exit {
  std::string how;  // "exited with status 1", "killed by SIGSEGV", "exec ./app: No such file…"
  int status = 1;   // exit status, or 128 + signal number; 0 is the only success
  int signal = 0;   // that killed it; 0: none did
};

}  // namespace graced
