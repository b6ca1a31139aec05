// All that `graced status` can tell of an instance, as plain values: filled by the daemon, carried
// by the control socket, shown by the command. Times are relative, so that no clock is shared.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"

namespace graced {

struct WorkerReport {
  std::uint64_t generation = 0;
  std::uint32_t slot = 0;  // 0…N-1
  std::int32_t pid = 0;    // 0: gone, or never started
  std::string state;       // "starting", "ready", "standby", "draining", "killed"; "leaving": never served
  Duration age{};          // of the process
  std::optional<Duration> left;         // until what `then` says; none: it has no deadline
  std::string status;                   // its own STATUS=, may be empty
  std::vector<std::string> last_lines;  // see Outputs::last_words()
  std::string
      waits_for{};  // of a draining worker: "2 connections (1 idle)", "its exit"; of any: "stopped by SIGTTOU"
  std::optional<std::uint32_t>
      connections{};                      // that a draining worker finishes; none: graced does not count them
  std::optional<std::uint32_t> queued{};  // that it has not accepted yet; none as well
  std::optional<Duration> quiet{};        // since anything came or went on any of them
  std::string
      then{};  // "given up", "ready"; "SIGTERM"; its connections "closed", itself "killed"; may be empty
};

// How a worker of the serving generation ended by itself.
struct ExitReport {
  std::uint64_t generation = 0;
  std::uint32_t slot = 0;                 // 0…N-1
  std::int32_t pid = 0;                   // 0: it was never started
  std::string how;                        // "exited with status 1 after 2s", "was not ready within 30s"
  std::optional<std::int32_t> status{};   // it exited with; none: it was killed, or is not gone yet
  std::string signal{};                   // "SIGSEGV": that killed it; may be empty
  Duration age{};                         // since it ended, or had to leave
  Duration lived{};                       // from its start until then
  std::vector<std::string> last_lines{};  // as of a worker, oldest first, at most 20
};

struct AddressReport {
  std::string name;     // as in LISTEN_FDNAMES; "adopted" where the worker bound it itself
  std::string address;  // "tcp [::]:8080", "unix /run/a.sock"
  // "shared", "switched"; "none": it is not handed from one generation to the next. Of UDP also "multicast":
  // every generation hears it; "own-program": who gets what is decided by a program of the server's own.
  std::string handoff{};
};

struct ReloadReport {
  std::uint64_t generation = 0;
  bool ok = false;
  std::string why;  // may have several lines (the candidate's last words); empty if ok
  Duration age{};   // since it ended
  Duration took{};
};

// Where the workers of the candidate come in batches.
struct BatchesReport {
  std::uint32_t count = 0;
  std::uint32_t serve = 0;    // of those, beside what is left of the serving generation
  std::uint32_t size = 0;     // workers
  bool under_way = false;     // the next one is starting; else it waits until there is room
  std::uint32_t leaving = 0;  // workers that it waits for
};

// Of a generation whose probe failed while it served, by another one of the same.
struct ReplacementReport {
  std::uint64_t generation = 0;  // that was replaced, or was to be
  std::uint64_t by = 0;
  bool ok = false;
  std::string why;  // if ok, what the probe saw; else why the other one failed; may have several lines
  Duration age{};   // since then
};

// The command of --check that runs now, before a reload.
struct CheckReport {
  std::string command;  // as typed; empty: not shown to who asks
  Duration age{};
};

// What one --probe has seen of the candidate, which is ready, or of the generation that serves.
struct ProbeReport {
  std::string what;  // "GET http://127.0.0.1:8080/healthz"
  bool passed = false;
  std::uint32_t passes = 0;  // looks in a row
  std::uint32_t fails = 0;   // likewise
  std::string saw;           // at the last look, if it failed
};

// While the candidate gets a share of the new connections.
struct CanaryReport {
  std::uint32_t per_mille = 0;     // of all new connections, 1…999
  std::uint32_t step = 0;          // 1…steps
  std::uint32_t steps = 0;         // 0: there is no canary
  std::optional<Duration> left{};  // of the step; none: its gate is waited for
  // New connections that each generation got since the canary began, where they are shared out; none: the
  // kernel does not count them.
  std::optional<std::uint64_t> of_candidate{};
  std::optional<std::uint64_t> of_serving{};
};

// What the cgroup of a generation has used; none where graced was given none to divide.
struct GenerationReport {
  std::uint64_t generation = 0;
  std::optional<std::uint64_t> memory;  // bytes now, where it is accounted
  Duration cpu{};                       // since it began
};

// What has come to the UDP sockets of a generation, where that is counted.
struct DatagramReport {
  std::uint64_t generation = 0;
  std::uint64_t flows = 0;      // that are remembered now
  std::uint64_t datagrams = 0;  // that came
};

// Another image of graced has taken the place of the one before, or could not.
struct UpgradeReport {
  std::string token{};  // of who asked
  bool ok = false;
  std::string why{};   // one line; empty if ok
  std::string from{};  // versions
  std::string to{};    // empty: not known
  Duration age{};      // since then
};

struct InstanceReport {
  std::string name;
  std::string version;
  std::int32_t pid = 0;
  std::string phase;                   // see core/status.h; "silent": it did not answer
  Duration age{};                      // of graced
  std::string command;                 // as typed; empty: not shown to who asks
  std::string executable{};            // of the serving generation, without symbolic links; may be empty
  bool executable_replaced = false;    // does not lead to it any more; a replacement runs it all the same
  std::vector<std::string> changed{};  // files that a replacement would run and that changed since
  std::string config;                  // path, may be empty
  std::uint64_t serving = 0;           // generation; 0: none
  std::uint64_t candidate = 0;         // generation; 0: none
  std::uint64_t standby = 0;           // generation that stands by; 0: the serving one is not on probation
  std::optional<Duration> probation_left{};  // none likewise
  std::uint32_t workers_asked = 0;           // of the serving generation; 0: none serves
  std::uint32_t workers_missing = 0;         // of those, that are started again when there is room
  std::vector<WorkerReport> workers;         // oldest first
  std::optional<CheckReport> check{};
  std::optional<BatchesReport> batches{};
  std::vector<ProbeReport> probes{};  // empty: no candidate is probed
  std::optional<CanaryReport> canary{};
  std::vector<ProbeReport> watched{};  // by those that look at the serving generation
  std::uint64_t replaces = 0;          // generation that the candidate is another one of; 0: it is none
  std::optional<ReplacementReport> last_replacement{};  // since the last reload that went well
  std::vector<AddressReport> addresses;
  std::vector<GenerationReport> generations{};  // by number
  std::vector<DatagramReport> datagrams{};      // likewise
  std::optional<ReloadReport> last_reload;
  std::optional<ExitReport> last_exit{};  // since then, if it went well
  std::uint64_t reloads = 0;
  std::uint64_t failed_reloads = 0;
  std::uint64_t rollbacks = 0;
  std::uint64_t restarts = 0;
  bool reload_queued = false;
  std::optional<Duration> next_restart;  // of a worker that exited
  std::string upgraded_from{};  // the version before this one, in the same process; empty: there was none
  std::optional<Duration> upgraded{};  // since then; none likewise
  std::optional<UpgradeReport> last_upgrade{};
  std::string
      upgrade_waits_for{};  // of one that is asked for: "worker 0 of generation 3 to be ready"; may be empty
  std::uint64_t upgrades = 0;
  std::uint64_t failed_upgrades = 0;
  bool self_upgrade = false;  // `graced upgrade --all --opted-in` is for this one too
};

// What may hold secrets is taken out: command lines, and the last words of workers. For other users than root
// and graced's own.
void withhold_secrets(InstanceReport& report);

// The same of a reason: its first line.
std::string without_last_words(const std::string& why);

}  // namespace graced
