// The table: name, argument, words for the help, and how it is read and shown.
#include "options/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

#include "core/number.h"
#include "options/capability_list.h"
#include "options/choice_values.h"
#include "options/env_file.h"
#include "options/hook_option.h"
#include "options/option_values.h"
#include "options/resource_limit.h"
#include "options/shell_words.h"

namespace graced {

namespace {

using Options = RunOptions;
using Text = std::string;

constexpr std::string_view sockets = "Sockets";
constexpr std::string_view workers = "Workers";
constexpr std::string_view readiness = "Starting and reloading";
constexpr std::string_view leaving = "Draining and stopping";
constexpr std::string_view surroundings = "What a worker finds";
constexpr std::string_view instance = "This instance";

Text or_nothing(const std::optional<std::string>& value) {
  return value.value_or("");
}

Duration time_above_zero(const Text& value) {
  const auto time = read_time(value);
  if (time == Duration::zero()) throw std::invalid_argument{"no candidate could be ready that soon"};
  return time;
}

Text control_path(const Text& value) {
  if (value.size() > 107)
    throw std::invalid_argument{fmt::format("{} bytes long, a unix socket's path may have 107", value.size())};
  return read_path(value);
}

unsigned read_flows(const Text& value) {
  if (value == "off") return 0;
  try {
    return read_count(value, 1, 1 << 20);
  } catch (const std::invalid_argument& why) {
    throw std::invalid_argument{fmt::format("{}, or 'off'", why.what())};
  }
}

Duration read_flow_timeout(const Text& value) {
  const Duration time = read_finite_time(value);
  if (time < 100ms) throw std::invalid_argument{"a flow may be silent for 100ms at least"};
  return time;
}

constexpr auto rows = std::to_array<OptionRow>({
    {.word = {command_option, 0, "COMMAND", "the command, where it does not follow the options"},
     .group = instance,
     .read = [](Options& o, const Text& v) { o.command = read_command(v); },
     .show = [](const Options& o) { return join_shell_words(o.command); }},

    {.word = {"listen", 'l', "ADDR[,opt=value…]",
              "listen here and pass the socket to every worker: 8080, 127.0.0.1:8080, [::1]:8080, "
              "localhost:8080, udp:53, unix:/path, unix:@abstract, unix-dgram:…, unix-seqpacket:…, fd:N"},
     .group = sockets,
     .unset = "none",
     .repeatable = true,
     .read = [](Options& o, const Text& v) { o.listen.push_back(parse_listen_spec(v)); }},

    {.word = {"adopt", 0, "auto|on|off",
              "take over the addresses that a worker binds itself; auto does so where there is no --listen "
              "and none was inherited"},
     .group = sockets,
     .read = [](Options& o, const Text& v) { o.adopt = read_adopt(v); },
     .show = [](const Options& o) { return to_text(o.adopt); }},

    {.word = {"adopt-changes", 0, "allow|refuse",
              "whether a reload may leave out an address that the generation before has adopted"},
     .group = sockets,
     .read = [](Options& o, const Text& v) { o.adopt_changes = read_adopt_changes(v); },
     .show = [](const Options& o) { return Text{o.adopt_changes ? "allow" : "refuse"}; }},

    {.word =
         {"take", 0, "PID|UNIT|tcp:ADDR",
          "take over the addresses of a server that runs without graced, and end it once the first generation "
          "serves; nothing where it does not run"},
     .group = sockets,
     .unset = "none",
     .for_life = true,
     .read = [](Options& o, const Text& v) { o.take = parse_take_target(v); },
     .show = [](const Options& o) { return o.take ? o.take->text() : Text{}; }},
    {.word = {"take-stop", 0, "COMMAND",
              "run this to end that server; without it systemd stops its unit, or it gets the drain signal"},
     .group = sockets,
     .unset = "none",
     .for_life = true,
     .read = [](Options& o, const Text& v) { o.take_stop = read_command(v); },
     .show = [](const Options& o) { return join_shell_words(o.take_stop); }},

    {.word = {"udp-flows", 0, "N|off",
              "so many UDP flows are remembered at most, so that each stays with its generation over a reload; "
              "off sends all that comes to the newest at once"},
     .group = sockets,
     .for_life = true,
     .read = [](Options& o, const Text& v) { o.udp_flows = read_flows(v); },
     .show = [](const Options& o) { return o.udp_flows == 0 ? Text{"off"} : fmt::format("{}", o.udp_flows); }},
    {.word = {"udp-flow-timeout", 0, "TIME", "a UDP flow that is silent for so long is over"},
     .group = sockets,
     .read = [](Options& o, const Text& v) { o.udp_flow_timeout = read_flow_timeout(v); },
     .show = [](const Options& o) { return to_text(o.udp_flow_timeout); }},

    {.word = {"workers", 'w', "N|auto", "workers in a generation; auto is one for each CPU available"},
     .group = workers,
     .read = [](Options& o, const Text& v) { o.policy.workers = read_workers(v); },
     .show = [](const Options& o) { return fmt::format("{}", o.policy.workers); }},
    {.word = {"restart", 0, "always|on-failure|never",
              "whether to replace a serving worker that exits by itself"},
     .group = workers,
     .read = [](Options& o, const Text& v) { o.policy.restart = read_restart(v); },
     .show = [](const Options& o) { return to_text(o.policy.restart); }},
    {.word = {"restart-delay", 0, "TIME", "wait this long before replacing it; doubles each time, up to 30s"},
     .group = workers,
     .read =
         [](Options& o, const Text& v) {
           o.policy.restart_delay = read_finite_time(v);
           o.policy.restart_delay_limit = std::max(Policy{}.restart_delay_limit, o.policy.restart_delay);
         },
     .show = [](const Options& o) { return to_text(o.policy.restart_delay); }},
    {.word = {"start-limit", 0, "N/TIME", "give up after more than N unexpected exits within TIME"},
     .group = workers,
     .read = [](Options& o, const Text& v) { read_start_limit(v, o.policy); },
     .show =
         [](const Options& o) {
           return fmt::format("{}/{}", o.policy.start_limit, to_text(o.policy.start_limit_window));
         }},
    {.word = {"stderr", 0, "watch|inherit",
              "watch keeps a worker's last 20 lines for status and failed reloads"},
     .group = workers,
     .read = [](Options& o, const Text& v) { o.watch_stderr = read_watch(v); },
     .show = [](const Options& o) { return Text{o.watch_stderr ? "watch" : "inherit"}; }},
    {.word = {"stdout", 0, "watch|inherit", "watch does the same with its standard output"},
     .group = workers,
     .read = [](Options& o, const Text& v) { o.watch_stdout = read_watch(v); },
     .show = [](const Options& o) { return Text{o.watch_stdout ? "watch" : "inherit"}; }},
    {.word = {"output", 0, "plain|prefix|prefix-time",
              "prefix puts generation, worker and PID before each line of both, prefix-time the time as well, "
              "and keeps "
              "the last 256 KiB for graced logs"},
     .group = workers,
     .read = [](Options& o, const Text& v) { o.output = read_output(v); },
     .show = [](const Options& o) { return to_text(o.output); }},

    {.word = {"ready", 0, "auto|notify|listen|after:TIME",
              "when a worker is ready: it said READY=1, it waits for connections on every address, or it "
              "lived for TIME; auto learns which of the first two"},
     .group = readiness,
     .read = [](Options& o, const Text& v) { read_ready(v, o.policy); },
     .show = [](const Options& o) { return ready_text(o.policy); }},
    {.word = {"ready-timeout", 0, "TIME", "give a candidate up that is not ready by then"},
     .group = readiness,
     .read = [](Options& o, const Text& v) { o.policy.ready_timeout = time_above_zero(v); },
     .show = [](const Options& o) { return to_text(o.policy.ready_timeout); }},
    {.word = {"check", 0, "COMMAND", "run this before a reload; if it fails, so does the reload"},
     .group = readiness,
     .unset = "none",
     .read = [](Options& o, const Text& v) { o.check = read_command(v); },
     .show = [](const Options& o) { return join_shell_words(o.check); }},
    {.word =
         {"probe", 0, "WHAT[,opt=value…]",
          "look at a candidate that is ready, which nobody else reaches yet, before it serves, and with "
          "while-serving[=TIME] for as long as it does: "
          "http://HOST:PORT/PATH, https://…, http+unix:/path.sock:/PATH, tcp://HOST:PORT, tcp+unix:/path.sock, "
          "exec:COMMAND"},
     .group = readiness,
     .unset = "none",
     .repeatable = true,
     .read = [](Options& o, const Text& v) { read_probe(v, o); }},
    {.word =
         {"canary", 0, "SHARE/TIME[,SHARE/TIME…]",
          "at a reload the new generation gets SHARE of new connections for TIME, then the next share, before "
          "it gets all of them: 5%/30s,25%/2min"},
     .group = readiness,
     .unset = "none",
     .read = [](Options& o, const Text& v) { o.policy.canary = parse_canary(v); },
     .show = [](const Options& o) { return canary_text(o.policy.canary); }},
    {.word = {"gate", 0, "COMMAND",
              "run this at the end of each step of the canary; if it fails, the generation before goes on"},
     .group = readiness,
     .unset = "none",
     .read =
         [](Options& o, const Text& v) {
           o.gate = read_command(v);
           o.policy.gated = true;
         },
     .show = [](const Options& o) { return join_shell_words(o.gate); }},
    {.word = {"on", 0, "EVENT[,EVENT…]=COMMAND",
              "run this when that happens: serving, reloaded, reload-failed, promoted, rolled-back, replaced, "
              "replacement-failed, taken, upgraded, upgrade-failed, crashed, hammered, gave-up, stopping"},
     .group = readiness,
     .unset = "none",
     .repeatable = true,
     .read = [](Options& o, const Text& v) { o.hooks.push_back(read_hook(v)); }},

    {.word =
         {"probation", 0, "TIME",
          "after a reload the generation before stands by for so long: it gets no new connections, and serves "
          "again at once should a worker of the new one end by itself, or graced rollback ask for it"},
     .group = readiness,
     .unset = "none",
     .read = [](Options& o, const Text& v) { o.policy.probation = read_finite_time(v); },
     .show = [](const Options& o) { return o.policy.probation == 0s ? Text{} : to_text(o.policy.probation); }},

    {.word = {"max-surge", 0, "N|P%|all",
              "at a reload start N workers, or P% of them, at a time: when they serve as many old ones leave, "
              "and when "
              "those are gone the next ones start"},
     .group = readiness,
     .read = [](Options& o, const Text& v) { o.policy.max_surge = read_max_surge(v); },
     .show = [](const Options& o) { return to_text(o.policy.max_surge); }},

    {.word = {"drain", 0, "auto|signal|idle",
              "signal tells an old worker to finish at once; idle lets its connections end first, and then "
              "tells it; auto is idle where workers are adopted, else signal"},
     .group = leaving,
     .read = [](Options& o, const Text& v) { o.drain = read_drain(v); },
     .show = [](const Options& o) { return to_text(o.drain); }},
    {.word =
         {"drain-idle", 0, "TIME",
          "with idle drain: close connections that are quiet for so long; only for HTTP/1 and its like, as it "
          "cuts slow answers behind TLS, HTTP/2, gRPC, WebSocket, event streams and long polls"},
     .group = leaving,
     .unset = "none",
     .read = [](Options& o, const Text& v) { o.policy.drain_idle = read_time(v); },
     .show =
         [](const Options& o) {
           return o.policy.drain_idle == infinity ? Text{} : to_text(o.policy.drain_idle);
         }},
    {.word = {"drain-signal", 0, "SIG", "what tells a worker to finish"},
     .group = leaving,
     .read = [](Options& o, const Text& v) { o.drain_signal = read_signal(v); },
     .show = [](const Options& o) { return signal_name(o.drain_signal); }},
    {.word = {"drain-timeout", 0, "TIME", "then it is killed, and all it started"},
     .group = leaving,
     .told_to_workers = true,
     .read = [](Options& o, const Text& v) { o.policy.drain_timeout = read_time(v); },
     .show = [](const Options& o) { return to_text(o.policy.drain_timeout); }},
    {.word = {"drain-grace", 0, "TIME",
              "with idle drain: the end of that time, from the drain signal on, which comes then though "
              "connections "
              "are open; a quarter of it at most"},
     .group = leaving,
     .told_to_workers = true,
     .read = [](Options& o, const Text& v) { o.policy.drain_grace = read_finite_time(v); },
     .show = [](const Options& o) { return to_text(o.policy.drain_grace); }},
    {.word = {"stop-timeout", 0, "TIME", "the same limit when graced itself stops"},
     .group = leaving,
     .told_to_workers = true,
     .read = [](Options& o, const Text& v) { o.policy.stop_timeout = read_time(v); },
     .show = [](const Options& o) { return to_text(o.policy.stop_timeout); }},
    {.word = {"max-draining", 0, "N", "generations that may drain at once; the oldest is killed beyond it"},
     .group = leaving,
     .read = [](Options& o, const Text& v) { o.policy.max_draining = read_count(v, 1, 1000); },
     .show = [](const Options& o) { return fmt::format("{}", o.policy.max_draining); }},

    {.word = {"draining-memory-high", 0, "SIZE",
              "memory.high for a generation that drains; needs a delegated cgroup"},
     .group = leaving,
     .unset = "none",
     .read = [](Options& o, const Text& v) { o.draining_memory_high = read_size(v); },
     .show =
         [](const Options& o) {
           return o.draining_memory_high ? std::to_string(*o.draining_memory_high) : Text{};
         }},

    {.word = {"env-file", 0, "FILE", "NAME=VALUE lines, read again at every reload; -FILE may be missing"},
     .group = surroundings,
     .unset = "none",
     .repeatable = true,
     .read = [](Options& o, const Text& v) { o.env_files.push_back(read_path(v)); }},
    {.word = {"env", 0, "NAME=VALUE", "a variable; {fd:NAME} in it becomes the number of that socket"},
     .group = surroundings,
     .unset = "none",
     .repeatable = true,
     .read =
         [](Options& o, const Text& v) {
           check_assignment(v);
           o.environment.push_back(v);
         }},
    {.word = {"chdir", 0, "DIR", "directory to start in"},
     .group = surroundings,
     .unset = "graced's own",
     .read = [](Options& o, const Text& v) { o.chdir = read_path(v); },
     .show = [](const Options& o) { return or_nothing(o.chdir); }},
    {.word = {"user", 0, "USER", "user to run as, with that user's groups"},
     .group = surroundings,
     .unset = "graced's own",
     .read = [](Options& o, const Text& v) { o.user = read_text(v); },
     .show = [](const Options& o) { return or_nothing(o.user); }},
    {.word = {"group", 0, "GROUP", "group to run as"},
     .group = surroundings,
     .unset = "that of the user",
     .read = [](Options& o, const Text& v) { o.group = read_text(v); },
     .show = [](const Options& o) { return or_nothing(o.group); }},
    {.word = {"umask", 0, "MASK", "file mode creation mask, octal"},
     .group = surroundings,
     .unset = "graced's own",
     .read = [](Options& o, const Text& v) { o.umask = read_umask(v); },
     .show = [](const Options& o) { return o.umask ? fmt::format("{:04o}", *o.umask) : Text{}; }},
    {.word = {"rlimit", 0, "NAME=N|SOFT:HARD",
              "resource limit by its name in setrlimit(2), as in nofile=65536"},
     .group = surroundings,
     .unset = "graced's own",
     .repeatable = true,
     .read = [](Options& o, const Text& v) { o.rlimits.push_back(read_resource_limit(v)); }},
    {.word = {"keep-capabilities", 0, "LIST",
              "capabilities of graced's that its workers get as well, as in net_bind_service,sys_nice"},
     .group = surroundings,
     .unset = "none",
     .read = [](Options& o, const Text& v) { o.kept_capabilities = read_capabilities(v); },
     .show = [](const Options& o) { return capabilities_text(o.kept_capabilities); }},

    {.word = {"name", 0, "NAME", "what graced reload, stop and status call it"},
     .group = instance,
     .unset = "last part of COMMAND's path",
     .for_life = true,
     .told_to_workers = true,
     .read = [](Options& o, const Text& v) { o.name = read_name(v); },
     .show = [](const Options& o) { return o.name; }},
    {.word = {config_option, 0, "FILE", "options, one NAME = VALUE a line, read again at every reload"},
     .group = instance,
     .unset = "none",
     .read = [](Options& o, const Text& v) { o.config = read_path(v); },
     .show = [](const Options& o) { return or_nothing(o.config); }},
    {.word = {"control", 0, "PATH", "socket that graced reload, stop and status talk to"},
     .group = instance,
     .unset = "control in $RUNTIME_DIRECTORY, else in graced/NAME below /run or $XDG_RUNTIME_DIR",
     .for_life = true,
     .told_to_workers = true,
     .read = [](Options& o, const Text& v) { o.control = control_path(v); },
     .show = [](const Options& o) { return or_nothing(o.control); }},
    {.word = {"pid-file", 0, "PATH", "file with graced's PID, removed at exit"},
     .group = instance,
     .unset = "none",
     .for_life = true,
     .read = [](Options& o, const Text& v) { o.pid_file = read_path(v); },
     .show = [](const Options& o) { return or_nothing(o.pid_file); }},
    {.word = {"notify-fd", 0, "N", "write a newline to descriptor N when graced serves, as s6 wants"},
     .group = instance,
     .unset = "none",
     .read = [](Options& o, const Text& v) { o.notify_fd = static_cast<int>(read_count(v, 1, 1'000'000)); },
     .show = [](const Options& o) { return o.notify_fd ? std::to_string(*o.notify_fd) : Text{}; }},
    {.word = {"daemonize", 0, "", "go into the background, and return when graced serves"},
     .group = instance,
     .read = [](Options& o, const Text& v) { o.daemonize = v.empty() || yes_or_no(v); },
     .show = [](const Options& o) { return Text{o.daemonize ? "yes" : "no"}; }},
    {.word =
         {"self-upgrade", 0, "",
          "when another graced is installed, the package has it take this one's place, which nobody notices"},
     .group = instance,
     .read = [](Options& o, const Text& v) { o.self_upgrade = v.empty() || yes_or_no(v); },
     .show = [](const Options& o) { return Text{o.self_upgrade ? "yes" : "no"}; }},
    {.word = {"log-format", 0, "auto|text|json|journal",
              "auto is journal where stderr is the journal, else text"},
     .group = instance,
     .read = [](Options& o, const Text& v) { o.log_format = read_log_format(v); },
     .show = [](const Options& o) { return to_text(o.log_format); }},
    {.word = {"log-level", 0, "error|warning|info|debug", "how much to say"},
     .group = instance,
     .read = [](Options& o, const Text& v) { o.log_level = read_log_level(v); },
     .show = [](const Options& o) { return to_text(o.log_level); }},
});

}  // namespace

std::span<const OptionRow> run_options() {
  return rows;
}

const OptionRow* find_run_option(std::string_view name) {
  const auto at = std::ranges::find_if(rows, [&](const OptionRow& row) { return row.word.name == name; });
  return at == rows.end() ? nullptr : &*at;
}

std::span<const WordOption> run_words() {
  static const auto words = [] {
    std::vector<WordOption> all;
    for (const auto& row : rows) {
      if (row.word.name != command_option) all.push_back(row.word);
    }
    all.push_back({"help", 'h', "", "this help"});
    all.push_back({"version", 0, "", "print version and features"});
    return all;
  }();
  return words;
}

}  // namespace graced
