// What `graced reload`, `rollback`, `abort`, `stop`, `upgrade`, `hammer`, `status`, `list`, `history`, `events`
// and `logs` do: find the instance, ask it, say what came of it. Each returns the exit status.
#pragma once

#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/control/control_places.h"
#include "options/command_line.h"

namespace graced {

namespace exit_status {
inline constexpr int done = 0;
inline constexpr int failed = 1;  // and what served before serves still
inline constexpr int usage = 2;
inline constexpr int no_instance = 3;
inline constexpr int gave_up_waiting = 4;
}  // namespace exit_status

// Where instances are looked for and answers go.
struct Terminal {
  ControlPlaces places;
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  bool colour = false;
  std::size_t columns = 0;  // of the terminal that `out` is; 0: it is none
  bool rewrites = false;    // `out` is one, and a line there can be written anew
};

// The places of this process, stdout and stderr; coloured if stdout is a terminal, NO_COLOR is not set, and
// TERM is not "dumb".
Terminal this_terminal();

// limit: how long to wait for the outcome, may be `infinity`; none: only ask.
// settled: until the probation is over as well, where there is one.
int client_reload(const Target&, std::optional<Duration> limit, bool settled, const Terminal&);
int client_rollback(const Target&, const Terminal&);
// Of all that run here. limit: for each of them.
int client_reload_all(const ReloadAll&, std::optional<Duration> limit, const Terminal&);
int client_abort(const Target&, const Terminal&);
int client_stop(const Target&, std::optional<Duration> limit, const Terminal&);
int client_upgrade(const UpgradeCommand&, const Terminal&);
int client_hammer(const Target&, const Terminal&);
// Of all of them, asked at once; the exit status is the highest of theirs.
int client_status(const std::vector<Target>&, StatusView, const Terminal&);
int client_list(bool json, const Terminal&);
int client_logs(const LogsCommand&, const Terminal&);
int client_history(const HistoryCommand&, const Terminal&);
int client_events(const EventsCommand&, const Terminal&);
// Becomes graced-top, which is a program of its own. Returns only where that cannot be.
int client_top(const std::vector<std::string>& words, const Terminal&);

}  // namespace graced
