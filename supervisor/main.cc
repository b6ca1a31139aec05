// The executable: whether another image has called it, then signals, then which command; a failure becomes one
// line and an exit status.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "client/client.h"
#include "core/version.h"
#include "daemon/daemon.h"
#include "daemon/drain_advice.h"
#include "daemon/log.h"
#include "daemon/machine_view.h"
#include "daemon/reload_view.h"
#include "daemon/resume.h"
#include "daemon/start_trial.h"
#include "daemon/takeover_view.h"
#include "linux/self/daemonize.h"
#include "linux/self/signal_mask.h"
#include "linux/self/standard_descriptors.h"
#include "linux/self/terminal.h"
#include "linux/upgrade/upgrade_call.h"
#include "options/check_view.h"
#include "options/command_line.h"
#include "options/environment.h"
#include "options/option_values.h"
#include "options/options.h"
#include "options/read_options.h"

namespace graced {
namespace {

// Nothing has begun that would have to be ended in good order, and a file may keep graced waiting (a FIFO).
RunOptions load_interruptibly(const ParsedWords& words, const std::vector<std::string>& environment,
                              FileRecord& files) {
  const EndingSignals end_it;
  return load_run_options(words, environment, nullptr,
                          recording_reader([&](std::string_view piece) { files.add(piece); }));
}

std::vector<std::string> own_environment() {
  std::vector<std::string> environment;
  for (char** e = environ; *e; ++e) environment.emplace_back(*e);
  return environment;
}

// --wait limits how long; --no-wait only asks.
std::optional<Duration> limit_of(const Patience& patience) {
  if (patience.no_wait) return std::nullopt;
  return patience.wait.value_or(infinity);
}

int tell(const std::vector<std::string>& lines, int status) {
  for (const std::string& line : lines) std::fprintf(stderr, "graced: %s\n", line.c_str());
  return status;
}

// Values are shown where all could be read; what cannot be had here is an error all the same.
int check(const ParsedWords& words, const std::vector<std::string>& environment) {
  ReadOptions read = read_run_options(words, environment);
  const auto& [options, given, complaints] = read;
  const bool readable = complaints.none();
  HandoffCapabilities means;
  const StartTrial trial = try_start(read, environment, means);
  try {
    effective_log_format(options.log_format, find_variable(environment, "JOURNAL_STREAM").value_or(""));
  } catch (const UsageError& e) {
    const GivenValue& value = given.at("log-format").front();  // only what is asked for by name is refused
    read.complaints.add(value.place, with_place(value, e.what()));
  }
  if (readable) {
    fmt::print("{}\n{}", check_text(options, settings_of(options, given), complaints.none()),
               machine_text(means.adoption(trial.worker ? &*trial.worker : nullptr), means.steering()));
    if (trial.handoff) {
      const auto advice = drain_advice(options.command.front(), trial.handoff->drain,
                                       signal_name(options.drain_signal), options.command);
      fmt::print("\n{}", handoff_text(*trial.handoff, means.steering(), advice, options.policy.probes));
    }
    for (const std::string& more : {takeover_text(options, trial.takeover), reload_text(options)}) {
      if (!more.empty()) fmt::print("\n{}", more);
    }
    std::fflush(stdout);
  }
  const bool usage = complaints.any_of(Complaints::Kind::usage);
  return tell(complaints.lines(), usage ? exit_status::usage : complaints.none() ? 0 : exit_status::failed);
}

struct Execute {
  std::vector<std::string> environment;
  std::vector<std::string> arguments;

  int operator()(RunCommand& c) {
    block_signals();
    FileRecord files;
    RunOptions options = load_interruptibly(c.words, environment, files);
    Invocation invocation{std::move(c.words), std::move(environment), std::move(arguments), std::move(files)};
    if (!options.daemonize) return Daemon(std::move(invocation), std::move(options)).run();

    Background background = Background::enter(options.watch_stderr);
    Daemon daemon(std::move(invocation), std::move(options), [&] { background.ready(); });
    const int status = daemon.run();
    background.failed(status, "it does not serve: " + daemon.ended_because());
    return status;
  }
  int operator()(const CheckCommand& c) const { return check(c.words, environment); }
  int operator()(const ReloadCommand& c) const {
    if (c.all) return client_reload_all(*c.all, limit_of(c.patience), this_terminal());
    return client_reload(c.target, limit_of(c.patience), c.settled, this_terminal());
  }
  int operator()(const RollbackCommand& c) const { return client_rollback(c.target, this_terminal()); }
  int operator()(const AbortCommand& c) const { return client_abort(c.target, this_terminal()); }
  int operator()(const StopCommand& c) const {
    return client_stop(c.target, limit_of(c.patience), this_terminal());
  }
  int operator()(const UpgradeCommand& c) const { return client_upgrade(c, this_terminal()); }
  int operator()(const HammerCommand& c) const { return client_hammer(c.target, this_terminal()); }
  int operator()(const StatusCommand& c) const { return client_status(c.targets, c.view, this_terminal()); }
  int operator()(const HistoryCommand& c) const { return client_history(c, this_terminal()); }
  int operator()(const EventsCommand& c) const { return client_events(c, this_terminal()); }
  int operator()(const LogsCommand& c) const { return client_logs(c, this_terminal()); }
  int operator()(const ListCommand& c) const { return client_list(c.json, this_terminal()); }
  int operator()(const TopCommand& c) const { return client_top(c.words, this_terminal()); }
  int operator()(const HelpCommand& c) const {
    fmt::print("{}", c.text);
    return 0;
  }
  int operator()(const VersionCommand&) const {
    fmt::print("graced {}\nfeatures: {}\nlibraries: {}\n", own_version(), GRACED_FEATURES, GRACED_LIBRARIES);
    return 0;
  }
};

int main(int argc, char** argv) {
  try {
    open_standard_descriptors();
    std::vector<std::string> environment = own_environment();
    ParsedCommand command =
        parse_command_line({argv + 1, argv + argc}, environment, terminal_columns(STDOUT_FILENO));
    return std::visit(Execute{std::move(environment), {argv, argv + argc}}, command);
  } catch (const UsageError& e) {
    return tell(e.lines(), exit_status::usage);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "graced: %s\n", e.what());
    return exit_status::failed;
  }
}

int go_on(Daemon& daemon) {
  try {
    return daemon.go_on();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "graced: %s\n", e.what());
    return exit_status::failed;
  }
}

}  // namespace
}  // namespace graced

// A call comes before standard descriptors are opened, as nothing may be open but what was carried, and outside
// of every try: see daemon/resume.h.
int main(int argc, char** argv) {
  const auto call = graced::take_upgrade_call();
  if (!call) return graced::main(argc, argv);
  if (call->kind == graced::UpgradeCall::Kind::trial) graced::be_tried(*call);
  return graced::go_on(*graced::take_over(*call, argv));
}
