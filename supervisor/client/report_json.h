// `graced status --json` and `graced list --json`: for programs, so names and units stay as they are.
//
//   name, version, phase, command   strings; phase: "starting"; "serving"; "reloading", while all serve;
//                                   "degraded", fewer of them do; "down", none does; "stopping"; "finished";
//                                   "silent", in a list: it did not answer
//   executable                      its path without symbolic links, of the serving generation, or null
//   executable_replaced             true where that does not lead to it any more: a replacement runs the
//                                   file that it was all the same
//   changed_files                   what a replacement would run as it is now and not as it was
//   config                          path or null
//   pid, age_s                      of graced
//   serving, candidate              generation or null
//   workers_asked                   how many the serving generation should have, or null
//   workers_missing                 of those, that are started again when there is room
//   check                           null, or of the --check that runs: command, age_s
//   canary                          null, or while the candidate gets a share of the new connections: share (0
//   to 1),
//                                   step, steps, left_s (null: its gate is waited for), candidate_connections
//                                   and serving_connections (null where they are not counted)
//   workers                         oldest first: generation, worker (0…N-1), pid or null, state ("starting",
//                                   "ready", "draining", "leaving" where its candidate failed, "killed"),
//                                   age_s, left_s (until what `then` says: "given up", "ready"; the drain
//                                   signal, "SIGTERM"; what is left of its connections "closed"; "killed"; or
//                                   "") or null, then, status, last_lines (of its stderr, oldest first),
//                                   waits_for, connections and queued (null where graced does not count them),
//                                   quiet_s
//   addresses                       name, address, handoff
//   last_reload                     null or generation, ok, why, age_s (since it ended), took_s; ok: its
//                                   generation was ready and got the connections, whatever became of it later
//   last_exit                       of a worker of the serving generation that ended by itself since the last
//                                   reload that went well: null or generation, worker, pid or null, how, status
//                                   (null: it was killed, or leaves yet), signal ("SIGSEGV") or null, age_s,
//                                   lived_s, last_lines
//   reloads, failed_reloads, restarts   counts
//   reload_queued                   true while another one follows
//   next_restart_s                  or null
//   upgraded_from, upgraded_s       version of the image of graced before this one, in the same process, and
//   since
//                                   when that is gone; null: there was none
//   upgrade_waits_for               null, or what an upgrade that is asked for waits for
//   last_upgrade                    null or ok, why, from, to (versions; to: null where it is not known), age_s
//   upgrades, failed_upgrades       counts
//   self_upgrade                    true where the package may upgrade it
//
// Durations are seconds with a fraction; "for ever" is null.
#pragma once

#include <string>
#include <vector>

#include "linux/control/control_report.h"

namespace graced {

// Indented, ends with a line feed. Bytes that are not UTF-8 become U+FFFD.
std::string report_json(const InstanceReport&);

// An array of the same objects.
std::string list_json(const std::vector<InstanceReport>&);

}  // namespace graced
