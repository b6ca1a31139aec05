// One running worker as the daemon holds it: the process, what it said, and its stderr.
#pragma once

#include <sys/types.h>

#include <optional>
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
  Duration drain_idle{};  // with idle drain: how long a connection is quiet to count as idle

  std::string status;  // its last STATUS=
  std::optional<Instant> said_ready;
  std::optional<Duration> run_when_ready;          // how long it had run on a processor by then
  std::optional<std::uint64_t> rested_when_ready;  // and how often it had rested
  pid_t ready_sender = 0;                          // itself, or a process below it
  bool reported_ready = false;                     // to the core
  bool watch_listening = false;                    // until it is reported
  std::optional<Instant> seen_listening;

  WatchedStderr* output = nullptr;  // null: stderr is inherited
};

}  // namespace graced
