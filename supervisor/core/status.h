// What the core knows, as plain values to show: a snapshot, without PIDs (those are the edge's).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/canary.h"
#include "core/exit.h"
#include "core/id.h"
#include "core/probing.h"
#include "core/time.h"

namespace graced {

// Computed from the rest, never stored. Trouble is said first: `down` and `degraded` are about those who serve,
// also while a candidate is on trial.
enum class Phase {
  starting,   // for the first time: nothing has served yet
  serving,    // with all workers that were asked for
  degraded,   // fewer of them are ready
  down,       // none of them is: nobody serves
  reloading,  // serving with all of them, and a candidate is on trial
  stopping,
  finished,
};

enum class WorkerState {
  starting,  // spawned, not ready yet
  ready,
  standby,   // gets no new connections, finishing those it has; serves again if its successor fails
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

  bool joined = false;       // of a candidate, or of one that failed: it serves, or has served
  bool thrown_away = false;  // of a candidate that failed: it has never served, so it has nothing to finish
};

// How a worker of the serving generation ended by itself.
struct ExitStatus {
  WorkerId worker;
  GenerationId generation;
  unsigned slot = 0;
  Exit exit;
  bool gone = false;  // false: it leaves yet, and `exit` says why: it was not ready in time, or wanted to
  Instant at{};
};

// A worker that is to be started in the place of one that ended.
struct RestartStatus {
  WorkerId of;
  GenerationId generation;
  unsigned slot = 0;
  Instant at{};  // `no_deadline`: never
};

struct ReloadStatus {
  GenerationId generation;
  bool ok;
  std::string why;  // empty if ok
  Instant at;
  Duration took;
};

// Of a generation whose probe failed while it served, by another one of the same.
struct ReplacementStatus {
  GenerationId replaced;
  GenerationId by;
  bool ok;
  std::string why;  // if ok, what the probe saw; else why the other one failed
  Instant at;
};

// What an earlier graced has left.
struct SurvivorsStatus {
  WorkerState state = WorkerState::ready;  // until a generation serves, or graced stops; then draining, killed
  Instant since{};                         // of the state; of ready: zero
  Instant deadline = no_deadline;          // when they are killed
};

// While the serving generation is on probation.
struct ProbationStatus {
  GenerationId standby;
  Instant until{};
};

// While a candidate comes in batches.
struct SurgeStatus {
  unsigned batches = 0;
  unsigned serve = 0;      // of those, beside what is left of the serving generation
  unsigned size = 0;       // workers of a batch, but for the last one
  bool under_way = false;  // the next one is started, and does not serve yet; else it waits for room
  unsigned leaving = 0;    // workers of all generations that leave
};

struct Status {
  Phase phase = Phase::starting;
  std::optional<GenerationId> serving;
  std::optional<GenerationId> candidate;
  std::optional<GenerationId> previous;      // that served before, and stands by, leaves or is gone
  std::optional<GenerationId> rollback_to;   // that serves again if a rollback is asked for now
  std::optional<ProbationStatus> probation;  // of the serving generation
  std::optional<SurgeStatus> surge;          // of the candidate
  std::vector<ProbeStatus> probes;           // of the candidate, once it is ready; empty: it is not probed
  Instant probed_until = no_deadline;        // when patience with them ends
  std::optional<CanaryStatus> canary;        // while the candidate gets a share of the new connections
  std::vector<ProbeStatus> watched;          // by the probes that look at the serving generation
  std::optional<GenerationId> replaces;      // the candidate is another one of this, which a probe has failed
  Instant next_replacement = no_deadline;    // when another one of it is started, should nothing change
  std::optional<ReplacementStatus> last_replacement;  // since the last reload that went well
  std::vector<WorkerStatus> workers;                  // oldest first
  std::optional<SurvivorsStatus> survivors;           // while there are any
  std::optional<WorkerStatus> taken;                  // what ran before graced, until it is gone
  unsigned workers_asked = 0;               // of the serving generation, with what of the candidate serves
  unsigned workers_ready = 0;               // of those
  std::optional<ExitStatus> last_exit;      // since the last reload that went well
  std::optional<ReloadStatus> last_reload;  // the first start is not a reload
  std::uint64_t reloads = 0;                // done
  std::uint64_t failed_reloads = 0;
  std::uint64_t rollbacks = 0;
  std::uint64_t restarts = 0;  // workers replaced after they exited by themselves, or their probe failed
  bool reload_queued = false;
  std::vector<RestartStatus> waiting;   // in the order in which they were decided on
  unsigned missing = 0;                 // that a failed reload has replaced, and that start as there is room
  std::optional<Instant> next_restart;  // the first of those, unless all of them are never
  int exit_status = 0;                  // of graced, as far as it is known: while it stops
  std::string stops_because;            // while it does
};

// The same without `down` and `degraded`: what graced is doing, whoever serves.
Phase course_of(const Status&);

}  // namespace graced
