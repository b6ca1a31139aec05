// See plan.h.
#include "plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "linux/account.h"
#include "option_fd_names.h"

namespace graced {

namespace {

bool begins_with_any(std::string_view text, std::initializer_list<std::string_view> beginnings) {
  return std::ranges::any_of(beginnings, [&](std::string_view b) { return text.starts_with(b); });
}

// What was meant for graced itself is nobody else's: a worker that finds graced's NOTIFY_SOCKET
// would speak to the service manager in graced's name.
std::vector<std::string> inheritable(const std::vector<std::string>& own, bool watch_stderr) {
  std::vector<std::string> kept;
  for (const std::string& e : own) {
    if (begins_with_any(e, {"GRACED_", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "NOTIFY_SOCKET=", "WATCHDOG_PID=",
                            "WATCHDOG_USEC=", "MAINPID="})) {
      continue;
    }
    if (watch_stderr && e.starts_with("JOURNAL_STREAM=")) continue;
    kept.push_back(e);
  }
  return kept;
}

void assign(std::vector<std::string>& environment, const std::string& assignment) {
  const std::string key = assignment.substr(0, assignment.find('=') + 1);
  std::erase_if(environment, [&](const std::string& e) { return e.starts_with(key); });
  environment.push_back(assignment);
}

std::vector<PassedSocket> open_sockets(const RunOptions& options, const std::vector<std::shared_ptr<Listener>>& inherited,
                                       const Plan* serving) {
  std::vector<PassedSocket> sockets;
  for (const auto& listener : inherited) sockets.push_back({listener, listener->name()});
  for (const ListenSpec& spec : options.listen) {
    bool had = false;
    for (const PassedSocket& s : serving ? serving->sockets : std::vector<PassedSocket>{}) {
      if (s.listener->spec().address() != spec.address()) continue;
      check_options(*s.listener, spec.options);
      sockets.push_back({s.listener, spec.name()});
      had = true;
    }
    if (had) continue;
    for (auto& listener : open_listeners(spec)) sockets.push_back({std::move(listener), spec.name()});
  }
  return sockets;
}

std::string unknown_name(std::string_view name, const std::vector<PassedSocket>& sockets) {
  std::string names;
  for (const PassedSocket& s : sockets) names += (names.empty() ? "" : ", ") + s.name;
  return fmt::format("{{fd:{}}}: no socket is named '{}' ({})", name, name,
                     names.empty() ? "none is passed: give an address with --listen" : "there are " + names);
}

}  // namespace

Plan make_plan(RunOptions options, const std::vector<std::shared_ptr<Listener>>& inherited, const Plan* serving,
               const std::vector<std::string>& own_environment) {
  Plan plan;
  plan.environment = inheritable(own_environment, options.watch_stderr);
  if (options.user || options.group) {
    const Account account = find_account(options.user.value_or(std::to_string(::geteuid())), options.group);
    plan.identity = Launch::Identity{account.uid, account.gid, account.groups, account.name};
    // As systemd.exec(5) does for User=.
    if (options.user) {
      for (const auto& [key, value] : {std::pair{"USER", account.name}, std::pair{"LOGNAME", account.name},
                                       std::pair{"HOME", account.home}, std::pair{"SHELL", account.shell}}) {
        assign(plan.environment, fmt::format("{}={}", key, value));
      }
    }
  }
  plan.sockets = open_sockets(options, inherited, serving);

  const auto number_of = [&](std::string_view name) {
    const auto found = std::ranges::find(plan.sockets, name, &PassedSocket::name);
    if (found == plan.sockets.end()) throw UsageError(unknown_name(name, plan.sockets));
    return 3 + static_cast<int>(found - plan.sockets.begin());
  };
  for (const std::string& word : options.command) plan.command.push_back(replace_fd_names(word, number_of));
  for (const std::string& word : options.check) plan.check.push_back(replace_fd_names(word, number_of));
  for (const std::string& e : options.environment) assign(plan.environment, replace_fd_names(e, number_of));
  plan.options = std::move(options);
  return plan;
}

Launch launch_of(const Plan& plan, std::vector<std::string> command) {
  Launch launch;
  launch.command = std::move(command);
  launch.environment = plan.environment;
  for (const PassedSocket& s : plan.sockets) {
    launch.pass_fds.push_back(s.listener->fd());
    launch.pass_names.push_back(s.name);
  }
  launch.identity = plan.identity;
  for (const ResourceLimit& l : plan.options.rlimits) {
    launch.limits.push_back({l.resource, {l.soft, l.hard}, l.name});
  }
  launch.umask = plan.options.umask;
  launch.directory = plan.options.chdir;
  return launch;
}

}  // namespace graced
