// The executable: signals first, then which command; a failure becomes one line and an exit status.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "client/client.h"
#include "daemon.h"
#include "drain_advice.h"
#include "linux/daemonize.h"
#include "linux/standard_descriptors.h"
#include "machine_view.h"
#include "options/check_view.h"
#include "options/command_line.h"
#include "options/option_values.h"
#include "options/options.h"
#include "plan.h"

namespace graced {
namespace {

// Before anything can run: sd-event needs its signals blocked, and one that comes early must wait.
// Faults stay as they are, they cannot wait. Where SIGCHLD is ignored, as some starters leave it, the kernel
// reaps children by itself, and nobody would learn how they ended.
void block_signals() {
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t all;
  ::sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) ::sigdelset(&all, fault);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

// Nothing has begun that would have to be ended in good order, and a file may keep graced waiting (a FIFO).
RunOptions load_interruptibly(const ParsedWords& words, const std::vector<std::string>& environment) {
  sigset_t ends;
  ::sigemptyset(&ends);
  for (const int signo : {SIGTERM, SIGINT, SIGQUIT}) ::sigaddset(&ends, signo);
  ::sigprocmask(SIG_UNBLOCK, &ends, nullptr);
  RunOptions options = load_run_options(words, environment);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  return options;
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

// All that can be told is told before what cannot be had is an error.
int check(const ParsedWords& words, const std::vector<std::string>& environment) {
  std::vector<Setting> settings;
  const RunOptions options = load_run_options(words, environment, &settings);
  std::optional<Launch::Identity> worker;
  std::string stranger;
  try {
    if (const auto account = account_of(options)) worker = identity_of(*account);
  } catch (const std::exception& e) {
    stranger = fmt::format("note: {}\n", e.what());  // on this machine; the file may be meant for another
  }
  const Launch::Identity* who = worker ? &*worker : nullptr;
  Means means;
  fmt::print("{}{}\n{}", check_text(options, settings), stranger,
             machine_text(means.adoption(who), means.steering()));
  std::fflush(stdout);
  const HandoffPlan plan = means.plan_for(options, false, who);
  const auto advice =
      drain_advice(options.command.front(), plan.drain, signal_name(options.drain_signal), options.command);
  fmt::print("\n{}", handoff_text(plan, means.steering(), advice));
  return 0;
}

struct Execute {
  std::vector<std::string> environment;

  int operator()(RunCommand& c) {
    block_signals();
    RunOptions options = load_interruptibly(c.words, environment);
    StartedWith started_with{std::move(c.words), std::move(environment)};
    if (!options.daemonize) return Daemon(std::move(started_with), std::move(options)).run();

    Background background = Background::enter(options.watch_stderr);
    Daemon daemon(std::move(started_with), std::move(options), [&] { background.ready(); });
    const int status = daemon.run();
    background.failed(status, "it does not serve: " + daemon.ended_because());
    return status;
  }
  int operator()(const CheckCommand& c) const { return check(c.words, environment); }
  int operator()(const ReloadCommand& c) const {
    return client_reload(c.target, limit_of(c.patience), this_terminal());
  }
  int operator()(const StopCommand& c) const {
    return client_stop(c.target, limit_of(c.patience), this_terminal());
  }
  int operator()(const HammerCommand& c) const { return client_hammer(c.target, this_terminal()); }
  int operator()(const StatusCommand& c) const { return client_status(c.target, c.view, this_terminal()); }
  int operator()(const ListCommand& c) const { return client_list(c.json, this_terminal()); }
  int operator()(const HelpCommand& c) const {
    fmt::print("{}", c.text);
    return 0;
  }
  int operator()(const VersionCommand&) const {
    fmt::print("graced {}\nfeatures: {}\nlibraries: {}\n", GRACED_VERSION, GRACED_FEATURES, GRACED_LIBRARIES);
    return 0;
  }
};

int main(int argc, char** argv) {
  try {
    open_standard_descriptors();
    std::vector<std::string> environment = own_environment();
    ParsedCommand command = parse_command_line({argv + 1, argv + argc}, environment);
    return std::visit(Execute{std::move(environment)}, command);
  } catch (const UsageError& e) {
    std::fprintf(stderr, "graced: %s\n", e.what());
    return exit_status::usage;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "graced: %s\n", e.what());
    return exit_status::failed;
  }
}

}  // namespace
}  // namespace graced

int main(int argc, char** argv) {
  return graced::main(argc, argv);
}
