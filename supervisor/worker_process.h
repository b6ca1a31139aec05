// One running worker as the daemon holds it: the process, what it said, and its stderr.
#pragma once

#include <sys/types.h>

#include <string>

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

  std::string status;               // its last STATUS=
  std::string stopped_by;           // "SIGTTOU"; empty: it is not stopped
  WatchedStderr* output = nullptr;  // null: stderr is inherited
};

}  // namespace graced
