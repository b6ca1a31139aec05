// One running worker as the daemon holds it: the process, what it said, and its stdout and stderr.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "linux/base/fd.h"
#include "linux/proc/leftovers.h"
#include "linux/proc/served_socket.h"
#include "workers/outputs.h"

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

  std::vector<ServedSocket> served;  // those it was passed, and, once its process is gone, those it had adopted

  // Once its process is gone, and nobody else's number is `pid`: what that has left behind.
  std::optional<Leftovers> rest;
  bool rest_told = true;  // nobody of it has yet to hear the drain signal

  std::string status;      // its last STATUS=
  std::string stopped_by;  // "SIGTTOU"; empty: it is not stopped
  Outputs outputs;

  // What another image of this process takes over, see linux/upgrade; pidfd is borrowed until it does. out,
  // err: the pipes of its outputs, which OutputWatch takes over.
  struct Kept {
    WorkerId id{};
    GenerationId generation{};
    unsigned slot = 0;
    pid_t pid = 0;
    int pidfd = -1;
    Instant started{};
    int drain_signal = 0;
    bool signal_asked = false;
    bool retired = false;
    std::vector<std::string> command{};
    std::vector<ServedSocket> served{};
    std::optional<Leftovers> rest{};
    bool rest_told = true;
    std::string status{};
    std::string stopped_by{};
    int out = -1;
    int err = -1;
  };
};

}  // namespace graced
