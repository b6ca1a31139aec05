// What a worker may say over its NOTIFY_SOCKET, see sd_notify(3).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace graced {

struct NotifyText {
  bool ready = false;                      // READY=1
  bool stopping = false;                   // STOPPING=1
  std::optional<std::string> status;       // STATUS=, control characters replaced, at most 512 bytes
  std::optional<Duration> extend_timeout;  // EXTEND_TIMEOUT_USEC=

  // What it says in vain, each once and fit to be shown: "WATCHDOG=1", "READY=yes", "COLOUR=". Not what changes
  // nothing where it is ignored (MAINPID=, ERRNO=, X_…), nor BARRIER=1, which is answered. The first few.
  std::vector<std::string> ignored;
};

// Never fails: lines that make no sense are as good as not said.
NotifyText parse_notify_text(std::string_view datagram);

}  // namespace graced
