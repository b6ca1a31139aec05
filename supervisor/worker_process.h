// One running worker as the daemon holds it: the process, what it said, and its stderr.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "linux/fd.h"
#include "stderr_watch.h"

namespace graced {

struct WorkerProcess {
  WorkerId id;
  GenerationId generation;
  unsigned slot = 0;
  pid_t pid = 0;
  Fd pidfd;
  Instant started{};
  int drain_signal = 0;
  bool signal_asked = false;  // --drain signal, by name
  bool retired = false;       // asked nothing at first
  std::vector<std::string> command;

  std::string status;               // its last STATUS=
  std::string stopped_by;           // "SIGTTOU"; empty: it is not stopped
  WatchedStderr* output = nullptr;  // null: stderr is inherited
};

}  // namespace graced
