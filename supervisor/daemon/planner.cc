#include "daemon/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <variant>

#include "options/command_line.h"
#include "options/environment.h"
#include "options/option_table.h"

namespace graced {

namespace {

void refuse_changes(const RunOptions& first, const RunOptions& now) {
  for (const auto& row : run_options()) {
    if (row.for_life && row.show(now) != row.show(first))
      throw UsageError(
          fmt::format("'{}' cannot change in a reload: stop graced and start it again", row.word.name));
  }
}

bool is_relative(const std::string& path) {
  return !path.starts_with('/');
}

bool has_relative_file(const RunOptions& options) {
  if (options.config && is_relative(*options.config)) return true;
  return std::ranges::any_of(options.env_files, [](const std::string& file) {
    return is_relative(file.starts_with('-') ? file.substr(1) : file);
  });
}

// Whether a name of theirs leads from the directory that graced was started in.
bool begins_where_started(const RunOptions& options) {
  return !options.chdir || is_relative(*options.chdir) || has_relative_file(options);
}

Invocation with_words(Invocation invocation) {
  const auto& all = invocation.arguments;
  if (all.empty()) throw std::runtime_error("the state has no command line");
  ParsedCommand command = parse_command_line({all.begin() + 1, all.end()}, invocation.environment);
  auto* const run = std::get_if<RunCommand>(&command);
  if (!run) throw std::runtime_error("the command line of the state does not run an instance");
  invocation.words = std::move(run->words);
  return invocation;
}

}  // namespace

Planner::Planner(Loop& loop, Invocation invocation, RunOptions first)
    : invocation_(std::move(invocation)),
      first_(std::move(first)),
      inheritable_(inheritable(invocation_.environment)),
      starting_place_(find_variable(invocation_.environment, "PWD").value_or("")),
      inherited_(inherited_sockets(listen_variables(invocation_.environment))),
      files_(loop),
      lookups_(loop) {}

Planner::Kept Planner::kept(ListenerNumbers& listeners) const {
  Kept kept{invocation_, starting_place_.kept(), {}, capabilities_};
  for (const auto& socket : inherited_.sockets) kept.inherited.push_back(listeners.of(socket));
  return kept;
}

Planner::Planner(Loop& loop, Kept kept, const TakenListeners& listeners)
    : invocation_(with_words(std::move(kept.invocation))),
      first_(recorded_options(invocation_.words, invocation_.environment, invocation_.files)),
      inheritable_(inheritable(invocation_.environment)),
      starting_place_(std::move(kept.starting_place)),
      files_(loop),
      lookups_(loop),
      capabilities_(std::move(kept.capabilities)) {
  for (const unsigned number : kept.inherited) inherited_.sockets.push_back(listeners.at(number));
}

Plan Planner::plan_without_sockets() const {
  return plan_as_written(first_, inheritable_, account_of(first_));
}

Plan Planner::first_plan(RestoredListeners& restored, const std::string& spare_place) {
  Plan plan = make_plan(graced::plan_without_sockets(first_, inheritable_, account_of(first_)), first_,
                        inherited_.sockets, nullptr, capabilities_, nullptr, &restored, spare_place);
  plan.files = invocation_.files;
  hold_artefact(plan, starting_place_.own());
  return plan;
}

// The command line and the environment stay as they were; only files can have changed, and the directory.
// graced enters that itself when a process of its own has, which may have to wait for it.
void Planner::read_again(const std::function<void(const MakePlan&)>& done) {
  if (!first_.config && first_.env_files.empty()) return look_up(first_, {}, done);
  files_.read(invocation_.words, invocation_.environment, starting_place_, [this, done] {
    try {
      look_up(options_again(), files_.record(), done);
    } catch (const std::exception&) {
      done([why = std::current_exception()](const Plan&, const std::string&, const Sets&) -> Plan {
        std::rethrow_exception(why);
      });
    }
  });
}

RunOptions Planner::options_again() const {
  if (has_relative_file(first_)) starting_place_.again();
  RunOptions options = files_.options(invocation_.words, invocation_.environment);
  refuse_changes(first_, options);
  return options;
}

void Planner::look_up(RunOptions options, FileRecord files, const std::function<void(const MakePlan&)>& done) {
  lookups_.begin(options, inheritable_, starting_place_, [this, options, files, done] {
    done([&](const Plan& serving, const std::string& spare_place, const Sets& sets) {
      Plan plan = plan_again(options, serving, spare_place, sets);
      plan.files = files;
      return plan;
    });
  });
}

// Where names that are relative begin. Throws std::system_error where it is not found and some are.
Fd Planner::directory_for(const RunOptions& options) const {
  try {
    return starting_place_.again();
  } catch (const std::system_error&) {
    if (begins_where_started(options)) throw;
    return Fd();
  }
}

WaitsFor Planner::waits_for() const {
  const WaitsFor file = files_.waits_for();
  return file.what.empty() ? lookups_.waits_for() : file;
}

void Planner::give_up() {
  files_.give_up();
  lookups_.give_up();
}

Plan Planner::plan_again(RunOptions options, const Plan& serving, const std::string& spare_place,
                         const Sets& sets) {
  const Fd directory = directory_for(options);
  // A socket that is shared, or in a set, cannot be told apart by where a connection comes from.
  if (!options.probes.empty() && !serving.handoff.switched) {
    throw UsageError(
        "probe: the generation that serves shares the sockets of --listen with whoever follows it, so a "
        "candidate cannot "
        "be reached alone; stop graced and start it again with the option");
  }
  if (!options.policy.canary.empty() && !serving.handoff.switched) {
    throw UsageError(
        "canary: the generation that serves shares the sockets of --listen with whoever follows it, so new "
        "connections cannot be shared out; stop graced and start it again with the option");
  }
  if (options.policy.probation > 0s && !serving.handoff.switched) {
    throw UsageError(
        "probation: the generation that serves shares the sockets of --listen with whoever follows it, so it "
        "cannot stand by; stop graced and start it again with the option");
  }
  SocketSets* const from = sets(comes_in_batches(options.policy));
  Plan begun = graced::plan_without_sockets(options, inheritable_, lookups_.account(options));
  Plan plan = make_plan(std::move(begun), std::move(options), inherited_.sockets, &serving, capabilities_, from,
                        nullptr, spare_place);
  hold_artefact(plan, directory);
  return plan;
}

}  // namespace graced
