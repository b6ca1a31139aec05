// What the core knows, as plain values to show: a snapshot, without PIDs (those are the edge's).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/id.h"
#include "core/time.h"

namespace graced {

// Computed from the rest, never stored.
enum class Phase { starting, serving, reloading, stopping, finished };

enum class WorkerState {
  starting,  // spawned, not ready yet
  ready,
  settling,  // gets no new connections, hearing the first words of those who came; not told to leave yet
  retiring,  // gets no new connections, finishing those it has; not told to leave yet
  draining,  // told to leave (or leaving by itself), finishing what it has
  killed,    // SIGKILL sent, not reaped yet
};

std::string_view to_text(Phase);
std::string_view to_text(WorkerState);

struct WorkerStatus {
  WorkerId worker;
  GenerationId generation;
  unsigned slot;
  WorkerState state;
  Instant since;      // of the state
  Instant deadline;   // when patience ends, of a retiring one: the drain signal; `no_deadline` if it has none
  Instant last_call;  // when what is left of its connections is closed; `no_deadline`: never, or nothing is
  Instant killed_at;  // when it is killed if it does not leave; `no_deadline` if nothing threatens it

  // Of those that are retired: how long a connection is idle to be closed, `infinity`: none is; and from when
  // on any pause is long enough, `no_deadline`: never.
  Duration drain_idle;
  Instant any_pause;
};

struct ReloadStatus {
  GenerationId generation;
  bool ok;
  std::string why;  // empty if ok
  Instant at;
  Duration took;
};

struct Status {
  Phase phase = Phase::starting;
  std::optional<GenerationId> serving;
  std::optional<GenerationId> candidate;
  std::vector<WorkerStatus> workers;        // oldest first
  std::optional<ReloadStatus> last_reload;  // the first start is not a reload
  std::uint64_t reloads = 0;                // done
  std::uint64_t failed_reloads = 0;
  std::uint64_t restarts = 0;  // workers replaced after they exited by themselves
  bool reload_queued = false;
  std::optional<Instant> next_restart;  // of a worker that exited
  int exit_status = 0;                  // of graced, as far as it is known: while it stops
};

}  // namespace graced
