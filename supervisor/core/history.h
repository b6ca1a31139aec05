// What happened to an instance and mattered, as it is remembered: the last of it, each within bounds.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace graced {

// Who wanted what happened.
struct Asker {
  std::string how{};     // "start", of graced itself; "signal", "control"; "crash", of a worker; "graced", by
                         // itself; empty: nobody
  std::string signal{};  // "SIGHUP"
  std::optional<std::uint32_t> user{};  // none: not known
  std::int32_t pid = 0;                 // 0: not known, or of another PID namespace
  std::string program{};                // what the process is called; may be empty
};

// How long a generation took; none: that was not, or was not reached.
struct Stages {
  std::optional<Duration> prepare{};  // options read, addresses bound
  std::optional<Duration> check{};    // --check
  std::optional<Duration> start{};    // until all workers were ready
  std::optional<Duration> probe{};    // --probe
  std::optional<Duration> canary{};   // --canary
};

struct HistoryEntry {
  // The words of it.
  static constexpr std::string_view serving = "serving";              // where nobody did
  static constexpr std::string_view reloaded = "reloaded";            // a new generation serves
  static constexpr std::string_view reload_failed = "reload-failed";  // the one before goes on
  static constexpr std::string_view rolled_back = "rolled-back";      // the generation before serves again
  static constexpr std::string_view crashed = "crashed";              // a serving worker ended by itself
  static constexpr std::string_view hammered = "hammered";            // workers were killed
  static constexpr std::string_view gave_up = "gave-up";              // graced ends, with another status than 0
  static constexpr std::string_view stopping = "stopping";            // graced ends, with status 0

  std::string event{};
  std::chrono::system_clock::time_point at{};
  Instant monotonic{};
  std::uint64_t generation = 0;   // whom it is about; 0: none
  std::uint64_t now_serving = 0;  // from then on; 0: none
  Asker by{};
  bool ok = true;
  std::optional<Duration> took{};  // of a generation, from when it began until it served or failed
  Stages stages{};
  std::optional<std::uint32_t> slot{};   // of a worker, 0…N-1
  std::int32_t pid = 0;                  // likewise; 0: it was never started
  std::optional<std::int32_t> status{};  // it exited with
  std::string signal{};                  // "SIGSEGV": that killed it
  std::optional<Duration> lived{};       // it did
  std::uint32_t killed = 0;              // workers
  std::string why{};                     // the first line is the reason, the others last words; may be empty
};

class History {
 public:
  static constexpr std::size_t capacity = 64;
  static constexpr std::size_t longest_why = 2048;  // bytes

  // The oldest goes where there are too many. Of last words that are too long the first are left out.
  HistoryEntry& add(HistoryEntry entry);

  std::vector<HistoryEntry> last(std::size_t most) const;  // the oldest first

 private:
  std::deque<HistoryEntry> entries_;
};

}  // namespace graced
