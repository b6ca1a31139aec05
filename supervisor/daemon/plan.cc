#include "daemon/plan.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <string_view>

#include "daemon/canary_places.h"
#include "daemon/probe_places.h"
#include "daemon/standby_places.h"
#include "daemon/surge_places.h"
#include "handoff/socket_sets.h"
#include "handoff/stored_listeners.h"
#include "linux/base/duplicate.h"
#include "linux/base/own_process.h"
#include "linux/control/control_places.h"
#include "linux/proc/proc_file.h"
#include "linux/sockets/listen_socket.h"
#include "linux/sockets/shut_listener.h"
#include "options/environment.h"
#include "options/option_fd_names.h"

namespace graced {

namespace {

// How long old workers are kept from the drain signal at most, for those who have just connected to say their
// first words: a client on the other side of the world has had the time.
constexpr Duration settle_time = 200ms;

bool begins_with_any(std::string_view text, std::initializer_list<std::string_view> beginnings) {
  return std::ranges::any_of(beginnings, [&](std::string_view b) { return text.starts_with(b); });
}

void assign(std::vector<std::string>& environment, const std::string& assignment) {
  const std::string key = assignment.substr(0, assignment.find('=') + 1);
  std::erase_if(environment, [&](const std::string& e) { return e.starts_with(key); });
  environment.push_back(assignment);
}

using Sockets = std::vector<std::shared_ptr<Listener>>;

// By address, what each --listen has open; one that lets the kernel choose a port may stand there twice.
std::map<std::string, std::deque<Sockets>> open_by_address(const Plan& plan) {
  std::map<std::size_t, Sockets> by_spec;
  for (const PassedSocket& s : plan.sockets) {
    if (s.spec) by_spec[*s.spec].push_back(s.listener);
  }
  std::map<std::string, std::deque<Sockets>> open;
  for (auto& [spec, sockets] : by_spec) open[plan.options.listen[spec].address()].push_back(std::move(sockets));
  return open;
}

// A unix socket that a worker has shut down listens never again, and its file is in the way of the next; one
// whose path is gone is reached by nobody.
bool give_up_if_lost(const Sockets& sockets) {
  bool gone = false;
  for (const auto& listener : sockets) {
    if (!listener->can_be_replaced()) continue;
    const bool shut = takes_connections(listener->kind()) && is_shut(listener->fd());
    if (!shut && !listener->lost_its_path()) continue;
    listener->remove_file();
    gone = true;
  }
  return gone;
}

// A unix socket without a file of graced's that was shut down: its name is free when nobody has it any more.
bool is_out_of_use(const Sockets& sockets) {
  return !sockets.empty() && (sockets.front()->stands_in() || sockets.front()->is_shut_for_ever());
}

// Another one that is bound where this one is, if that is possible now; else one that stands in for it.
// `before`: the plan that has it.
Sockets instead_of(const std::shared_ptr<Listener>& out_of_use, const ListenSpec& spec, const Plan& before,
                   Plan& plan) {
  const bool ours = out_of_use->made_by_graced();
  try {
    if (ours) return open_listeners(spec);
  } catch (const ListenError& error) {
    if (error.code().value() != EADDRINUSE) throw;
  }
  if (out_of_use->stands_in()) {
    plan.name_is_taken |= before.name_is_taken;
    return {out_of_use};
  }
  plan.name_is_taken |= ours;
  return {Listener::stand_in(*out_of_use)};
}

// As open_by_address, of what an earlier graced has left.
std::map<std::string, std::deque<Sockets>> restored_by_address(const RunOptions& options,
                                                               RestoredListeners& restored) {
  std::map<std::string, std::deque<Sockets>> open;
  if (restored.empty()) return open;
  std::map<std::string, unsigned> occurrences;
  for (const ListenSpec& spec : options.listen) {
    Sockets sockets = restored.take(spec, occurrences[store_key(spec)]++);
    if (!sockets.empty()) open[spec.address()].push_back(std::move(sockets));
  }
  restored.drop_rest();
  return open;
}

void open_sockets(Plan& plan, const RunOptions& options, const Sockets& inherited, const Plan* serving,
                  SocketSets* sets, RestoredListeners* restored, const std::string& spare_place) {
  const bool switched = plan.handoff.switched;
  for (const auto& listener : inherited) {
    const bool shut = listener->is_shut_for_ever();
    plan.sockets.push_back({shut ? Listener::stand_in(*listener) : listener, listener->name(), {}});
  }

  auto open = serving    ? open_by_address(*serving)
              : restored ? restored_by_address(options, *restored)
                         : std::map<std::string, std::deque<Sockets>>{};
  for (std::size_t i = 0; i < options.listen.size(); ++i) {
    const ListenSpec& spec = options.listen[i];
    auto& had = open[spec.address()];
    if (!had.empty() && give_up_if_lost(had.front())) had.pop_front();
    Sockets sockets;
    bool from_set = false;
    if (had.empty()) {
      const bool shared = spec.kind == AddressKind::udp ? plan.handoff.datagrams : switched;
      sockets =
          open_listeners(spec, {.share = shared, .hidden = serving != nullptr, .spare_place = spare_place});
    } else if (serving && is_out_of_use(had.front())) {
      sockets = instead_of(had.front().front(), spec, *serving, plan);
      had.pop_front();
    } else {
      sockets = std::move(had.front());
      had.pop_front();
      for (auto& listener : sockets) {
        check_options(*listener, spec.options);
        const bool beside = can_be_switched(*listener) && switched;
        // Nobody could tell when the last worker has left that reads what comes to the one before.
        const bool directed =
            plan.handoff.datagrams && listener->is_directed() && !comes_in_batches(options.policy);
        if (serving && (beside || directed)) {
          listener = open_again(*listener, spec);
          continue;
        }
        if (sets && plan.handoff.sets) {
          auto own = sets->another(listener, spec);
          from_set = own != listener;
          listener = std::move(own);
        }
        if (listener->spec().options != spec.options) { plan.changed.push_back({listener, spec.options}); }
      }
    }
    for (auto& listener : sockets) {
      bool own = switched && can_be_switched(*listener);
      if (own) share_address(*listener);
      own |= plan.handoff.datagrams && shares_datagrams(*listener);
      plan.sockets.push_back({std::move(listener), spec.name(), i, own || from_set});
    }
  }
  for (const PassedSocket& s : plan.sockets) plan.served.push_back(served_socket(s.listener->fd()));
}

}  // namespace

// What was meant for graced itself is nobody else's: a worker that finds graced's NOTIFY_SOCKET
// would speak to the service manager in graced's name.
std::vector<std::string> inheritable(const std::vector<std::string>& own_environment) {
  std::vector<std::string> kept;
  for (const std::string& e : own_environment) {
    if (begins_with_any(e, {"GRACED_", "FDSTORE=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=",
                            "NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=", "MAINPID="})) {
      continue;
    }
    kept.push_back(e);
  }
  return kept;
}

ListenVariables listen_variables(const std::vector<std::string>& own_environment) {
  return {find_variable(own_environment, "LISTEN_PID"), find_variable(own_environment, "LISTEN_FDS"),
          find_variable(own_environment, "LISTEN_FDNAMES")};
}

std::vector<std::string> names_of_inherited(const std::vector<std::string>& own_environment) {
  auto [count, names] = announced_sockets(listen_variables(own_environment), own_pid());
  names.resize(static_cast<std::size_t>(count));
  ListenSpec spec;
  spec.kind = AddressKind::inherited;
  spec.fd = 3;
  for (std::string& name : names) {
    if (name.empty()) name = spec.name();
    ++spec.fd;
  }
  return names;
}

std::string control_path(const RunOptions& options) {
  return options.control ? *options.control : default_control_path(options.name, control_places());
}

std::optional<Account> account_of(const RunOptions& options) {
  if (!options.user && !options.group) return std::nullopt;
  return find_account(options.user.value_or(std::to_string(own_user())), options.group);
}

Launch::Identity identity_of(const Account& account) {
  return {account.uid, account.gid, account.groups, account.name};
}

int number_of_socket(std::string_view name, const std::vector<std::string>& names) {
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return 3 + static_cast<int>(found - names.begin());
  throw UsageError(fmt::format("{{fd:{}}}: no socket is named '{}' ({})", name, name,
                               names.empty() ? "none is passed: give an address with --listen"
                                             : fmt::format("there are {}", fmt::join(names, ", "))));
}

Plan plan_without_sockets(const RunOptions& options, const std::vector<std::string>& environment,
                          const std::optional<Account>& account) {
  Plan plan;
  plan.environment = environment;
  if (options.watch_stderr) {
    // Its stderr is a pipe of graced's then, not the journal.
    std::erase_if(plan.environment, [](const std::string& e) { return e.starts_with("JOURNAL_STREAM="); });
  }
  if (account) {
    plan.identity = identity_of(*account);
    // As systemd.exec(5) does for User=.
    if (options.user) {
      for (const auto& [key, value] : {std::pair{"USER", account->name}, std::pair{"LOGNAME", account->name},
                                       std::pair{"HOME", account->home}, std::pair{"SHELL", account->shell}}) {
        assign(plan.environment, fmt::format("{}={}", key, value));
      }
    }
  }
  return plan;
}

Plan plan_as_written(const RunOptions& options, const std::vector<std::string>& environment,
                     const std::optional<Account>& account) {
  Plan plan = plan_without_sockets(options, environment, account);
  for (const std::string& e : options.environment) assign(plan.environment, e);
  plan.command = options.command;
  plan.options = options;
  return plan;
}

void number_sockets(Plan& plan, RunOptions options, const std::vector<std::string>& names) {
  const auto number_of = [&](std::string_view name) { return number_of_socket(name, names); };
  for (const std::string& word : options.command) plan.command.push_back(replace_fd_names(word, number_of));
  for (const std::string& word : options.check) plan.check.push_back(replace_fd_names(word, number_of));
  for (const std::string& e : options.environment) assign(plan.environment, replace_fd_names(e, number_of));
  plan.options = std::move(options);
}

void require_proc_for(const RunOptions& options) {
  if (options.policy.ready == ReadyRule::after) return;
  try {
    require_proc();
  } catch (const std::runtime_error& why) {
    throw std::runtime_error(fmt::format(
        "{} (without it nobody can tell whether a worker is ready; --ready after:TIME does not ask)",
        why.what()));
  }
}

Plan make_plan(Plan plan, RunOptions options, const std::vector<std::shared_ptr<Listener>>& inherited,
               const Plan* serving, HandoffCapabilities& capabilities, SocketSets* sets,
               RestoredListeners* restored, const std::string& spare_place) {
  require_proc_for(options);
  plan.handoff = capabilities.plan_for(options, !inherited.empty(), plan.identity ? &*plan.identity : nullptr);
  for (const ProbeSpec& probe : options.probes)
    require_reachable(probe, options, plan.handoff, !inherited.empty());
  require_standby(options, plan.handoff, !inherited.empty());
  require_shareable(options, plan.handoff, !inherited.empty());
  std::ranges::move(not_shared_out(options, plan.handoff), std::back_inserter(plan.handoff.notes));
  require_batches(options, plan.handoff);
  options.policy.drain = plan.handoff.drain;
  options.policy.max_draining = plan.handoff.max_draining;
  open_sockets(plan, options, inherited, serving, sets, restored, spare_place);
  const bool from_sets = plan.handoff.sets && std::ranges::any_of(plan.sockets, &PassedSocket::switched);
  if (from_sets || plan.handoff.settles) options.policy.settle = settle_time;

  std::vector<std::string> names;
  for (const PassedSocket& s : plan.sockets) names.push_back(s.name);
  number_sockets(plan, std::move(options), names);
  return plan;
}

// Its sockets are as many, in the same order.
Plan another_plan(const Plan& serving, const std::vector<std::shared_ptr<Listener>>& inherited,
                  SocketSets* sets, const std::string& spare_place) {
  Plan plan;
  plan.options = serving.options;
  plan.files = serving.files;
  plan.handoff = serving.handoff;
  plan.handoff.notes.clear();
  plan.command = serving.command;
  plan.environment = serving.environment;
  plan.identity = serving.identity;
  plan.artefact = serving.artefact;
  open_sockets(plan, plan.options, inherited, &serving, sets, nullptr, spare_place);
  return plan;
}

void hold_artefact(Plan& plan, const Fd& place) {
  const Launch::Identity* user = plan.identity ? &*plan.identity : nullptr;
  Fd directory;
  if (plan.options.chdir) {
    directory = open_directory_for(user, place ? place.get() : AT_FDCWD, *plan.options.chdir);
  } else if (place) {
    directory = duplicate(place.get());
  }
  plan.artefact = std::make_shared<const Artefact>(std::move(directory), plan.command, plan.environment, user);
}

Launch launch_of(const Plan& plan, std::vector<std::string> command) {
  Launch launch;
  launch.command = std::move(command);
  launch.shared_environment = &plan.environment;
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
  launch.directory_fd = plan.artefact->directory();
  return launch;
}

}  // namespace graced
