// What the user asked for, from the command line, GRACED_* in the environment and --config FILE, as
// plain values. Which option each is read from says option_table.h.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/instance_event.h"
#include "core/listen_spec.h"
#include "core/policy.h"
#include "core/probe_spec.h"
#include "core/take_target.h"
#include "core/time.h"
#include "options/option_words.h"
#include "options/text_file.h"
#include "options/usage_error.h"

namespace graced {

// What is asked for; what this machine gives is another matter, see daemon/handoff_capabilities.h.
enum class AdoptChoice { automatic, on, off };
enum class DrainChoice { automatic, signal, idle };

enum class OutputChoice { plain, prefix, prefix_time };

enum class LogFormat { automatic, text, json, journal };
enum class LogLevel { error, warning, info, debug };

// One limit of setrlimit(2), by its name there without RLIMIT_ ("nofile").
struct ResourceLimit {
  int resource;  // RLIMIT_NOFILE, …
  std::string name;
  std::uint64_t soft;  // RLIM_INFINITY for "infinity"
  std::uint64_t hard;
};

// A command that is run when one of these happens.
struct Hook {
  std::vector<InstanceEvent::Kind> on;  // at least one, each once
  std::vector<std::string> command;     // at least one word
};

// One effective value and where it came from, for `graced check`.
struct Setting {
  std::string option;  // "ready-timeout"
  std::string value;   // "30s"
  std::string origin;  // "default", "command line", "GRACED_READY_TIMEOUT", "app.conf:3"
};

struct RunOptions {
  std::string name;                  // of the instance; never empty, no '/', not "." or ".."
  std::vector<std::string> command;  // at least one word
  std::vector<ListenSpec> listen;
  AdoptChoice adopt = AdoptChoice::automatic;  // automatic: where there is no --listen and nothing inherited
  bool adopt_changes = false;                  // adopted addresses may come and go at a reload
  unsigned udp_flows = 16384;                  // remembered at most; 0: none
  Duration udp_flow_timeout = 30s;             // silence that ends one
  Policy policy;                               // its drain rule is settled once it is known who adopts
  DrainChoice drain = DrainChoice::automatic;  // automatic: idle where workers are adopted, else signal
  int drain_signal = SIGTERM;

  std::vector<std::string> environment;  // NAME=VALUE: env files in their order, then --env; a later one wins
  std::vector<std::string> env_files;    // as given: a '-' in front means it may be missing
  std::optional<std::string> chdir;
  std::optional<std::string> user;
  std::optional<std::string> group;
  std::optional<unsigned> umask;
  std::vector<ResourceLimit> rlimits;
  std::uint64_t kept_capabilities = 0;  // a bit for each number

  std::vector<std::string> check;  // empty: none
  std::vector<ProbeSpec> probes;   // in the order of policy.probes, which has their rules
  std::vector<std::string> gate;   // of policy.canary, if policy.gated; empty: none
  std::vector<Hook> hooks;
  std::optional<TakeTarget> take;      // a server that runs already
  std::vector<std::string> take_stop;  // ends it; empty: a signal, or systemd
  std::optional<std::string> control;
  std::optional<std::string> pid_file;
  std::optional<std::uint64_t> draining_memory_high;  // bytes
  std::optional<int> notify_fd;
  bool daemonize = false;
  bool self_upgrade = false;  // `graced upgrade --all --opted-in` is for this instance too
  std::optional<std::string> config;
  bool watch_stderr = true;
  bool watch_stdout = false;
  OutputChoice output = OutputChoice::plain;  // of what is watched
  LogFormat log_format = LogFormat::automatic;
  LogLevel log_level = LogLevel::info;

  std::vector<std::string> notes;  // one line each: what is odd, but no reason not to start
};

// Reads all layers, with the config file and the env files as they are on disk now, so calling it
// again with the same words is what a reload does.
// words, args: what follows `graced run`, taken apart or not yet. environment: "NAME=VALUE" each. Throws
// UsageError of all that is wrong. settings, if wanted: every option in the order of the help, one for each
// value of a repeated one. read: what gives the text of a file, and may throw what read_text_file() throws.
RunOptions load_run_options(const ParsedWords& words, const std::vector<std::string>& environment,
                            std::vector<Setting>* settings = nullptr, const ReadText& read = read_text_file);
RunOptions load_run_options(const std::vector<std::string>& args, const std::vector<std::string>& environment,
                            std::vector<Setting>* settings = nullptr);

}  // namespace graced
