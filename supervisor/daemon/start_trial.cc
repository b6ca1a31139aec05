// One step of a start after the other; a failure is written down, and the next one is tried.
#include "daemon/start_trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <set>

#include "daemon/canary_places.h"
#include "daemon/plan.h"
#include "daemon/probe_places.h"
#include "daemon/standby_places.h"
#include "daemon/surge_places.h"
#include "daemon/takeover_view.h"
#include "linux/base/account.h"
#include "linux/base/systemd.h"
#include "linux/control/control_places.h"
#include "linux/control/instance.h"
#include "linux/self/pid_file.h"
#include "linux/sockets/listen_error.h"
#include "linux/sockets/listener.h"
#include "options/option_fd_names.h"
#include "options/option_table.h"

namespace graced {

namespace {

class Trial {
 public:
  Trial(ReadOptions& read, const std::vector<std::string>& environment, HandoffCapabilities& capabilities)
      : read_(read), options_(read.options), environment_(environment), capabilities_(capabilities) {}

  StartTrial run() {
    attempt("", [] { load_systemd(); });
    attempt("ready", [&] { require_proc_for(options_); });
    try_places();
    try_accounts();
    try_addresses();
    StartTrial found;
    const bool has_canary = !options_.policy.canary.empty();
    const bool probed = !options_.probes.empty() && options_.drain != DrainChoice::idle;
    attempt(
        options_.adopt == AdoptChoice::on ? "adopt"
        : probed                          ? "probe"
        : has_canary                      ? "canary"
        : options_.policy.probation > 0s  ? "probation"
                                          : "drain",
        [&] {
          found.handoff = capabilities_.plan_for(options_, false, plan_.identity ? &*plan_.identity : nullptr);
          try_probes(*found.handoff);
          attempt("probation", [&] { require_standby(options_, *found.handoff, false); });
          attempt("canary", [&] { require_shareable(options_, *found.handoff, false); });
          std::ranges::move(not_shared_out(options_, *found.handoff), std::back_inserter(read_.options.notes));
          attempt("max-surge", [&] { require_batches(options_, *found.handoff); });
        });
    attempt("take", [&] { found.takeover = try_takeover(found.handoff); });
    try_names();
    try_commands();
    found.worker = plan_.identity;
    return found;
  }

 private:
  const std::vector<GivenValue>& given(std::string_view option) const {
    static const std::vector<GivenValue> none;
    const auto values = read_.given.find(option);
    return values == read_.given.end() ? none : values->second;
  }

  void complain(const GivenValue* value, const std::string& why, Complaints::Kind kind) {
    read_.complaints.add(value ? value->place : Place{}, value ? with_place(*value, why) : why, kind);
  }

  // What it throws is a complaint about this value; null: about nothing that was said.
  void attempt_for(const GivenValue* value, const std::function<void()>& step) {
    try {
      step();
    } catch (const UsageError& e) {
      complain(value, e.what(), Complaints::Kind::usage);
    } catch (const std::exception& e) { complain(value, e.what(), Complaints::Kind::machine); }
  }

  void attempt(std::string_view option, const std::function<void()>& step) {
    attempt_for(first_of(option), step);
  }

  void try_places() {
    std::string control;
    if (options_.control || !options_.name.empty())
      attempt("control", [&] { control = control_path(options_); });
    it_runs_ = !control.empty() && is_live_control(control);
    if (it_runs_) return;
    if (!control.empty()) attempt("control", [&] { try_control_path(control); });
    if (options_.pid_file) attempt("pid-file", [&] { try_pid_file(*options_.pid_file); });
  }

  // Each on its own, as both may be wrong.
  void try_accounts() {
    const std::size_t before = read_.complaints.lines().size();
    if (options_.user) attempt("user", [&] { find_account(*options_.user); });
    if (options_.group) attempt("group", [&] { find_group(*options_.group); });
    RunOptions known = options_;
    if (read_.complaints.lines().size() != before) known.user = known.group = std::nullopt;
    attempt("user", [&] { plan_ = plan_without_sockets(known, inheritable(environment_), account_of(known)); });
  }

  void try_addresses() {
    const auto& values = given("listen");
    std::vector<Fd> open;
    std::set<std::string> tried;
    for (std::size_t i = 0; i < options_.listen.size() && i < values.size(); ++i) {
      if (!tried.insert(options_.listen[i].address()).second) continue;  // said already
      attempt_for(&values[i], [&] {
        try {
          try_to_listen(options_.listen[i], open);
        } catch (const ListenError& e) {
          if (e.code().value() != EADDRINUSE || (!it_runs_ && !e.perhaps_by_graced())) throw;
          if (it_runs_) return;
          read_.options.notes.push_back(
              fmt::format("{}: run would be refused now; a reload of the graced that has it is not", e.what()));
        }
      });
    }
  }

  void try_probes(const HandoffPlan& handoff) {
    const auto& values = given("probe");
    for (std::size_t i = 0; i < options_.probes.size() && i < values.size(); ++i)
      attempt_for(&values[i], [&] { require_reachable(options_.probes[i], options_, handoff, false); });
  }

  // One that runs has taken it, or has found nothing to take.
  RunningServer::Found try_takeover(const std::optional<HandoffPlan>& handoff) {
    if (!options_.take || it_runs_) return {};
    RunningServer::Found found = RunningServer::look(*options_.take);
    for (const std::string& line : handoff ? takeover_obstacles(found, *handoff) : found.in_the_way)
      complain(first_of("take"), line, Complaints::Kind::machine);
    return found;
  }

  void try_names() {
    attempt("", [&] { names_ = names_of_inherited(environment_); });
    for (const ListenSpec& spec : options_.listen) names_.push_back(spec.name());
    for (const auto& word : options_.command) try_names_in(word, first_of("command"));
    for (const auto& word : options_.check) try_names_in(word, first_of("check"));
    for (const auto& assignment : options_.environment) {
      const auto& values = given("env");
      const auto value = std::ranges::find(values, assignment, &GivenValue::text);
      try_names_in(assignment, value == values.end() ? first_of("env-file") : &*value);
    }
  }

  const GivenValue* first_of(std::string_view option) const {
    const auto& values = given(option);
    return values.empty() ? nullptr : &values.front();
  }

  // One that is unknown is complained of once.
  void try_names_in(const std::string& text, const GivenValue* value) {
    std::vector<std::string> unknown;
    replace_fd_names(text, [&](std::string_view name) {
      attempt_for(value, [&] { number_of_socket(name, names_); });
      if (std::ranges::find(names_, name) == names_.end()) unknown.emplace_back(name);
      return 0;
    });
    std::ranges::move(unknown, std::back_inserter(names_));
  }

  void try_commands() {
    if (options_.command.empty()) return;
    number_sockets(plan_, options_, names_);
    bool placed = true;
    try {
      hold_artefact(plan_, Fd());
    } catch (const std::exception& e) {
      complain(first_of("chdir"), e.what(), Complaints::Kind::machine);
      plan_.options.chdir.reset();
      placed = false;
    }
    Launch worker = launch_of(plan_, plan_.command);
    worker.program = plan_.artefact->program();
    worker.kept_capabilities = plan_.options.kept_capabilities;
    try_launch(worker, "command", placed);
    // What is said of the worker is not said again.
    worker.program.reset();
    worker.command = plan_.check;
    if (!plan_.check.empty()) try_launch(worker, "check", placed);
    worker.command = options_.gate;
    if (!options_.gate.empty()) try_launch(worker, "gate", placed);
    worker.command = options_.take_stop;
    if (!options_.take_stop.empty()) try_launch(worker, "take-stop", placed);
  }

  // What fails is left out, so that what comes after it is tried as well.
  void try_launch(Launch& launch, std::string_view option, bool placed) {
    for (;;) {
      // Where it would start is not known.
      const auto& program = launch.command.front();
      if (!placed && !program.starts_with('/') && program.find('/') != std::string::npos) return;
      const auto failed = try_spawn(launch);
      if (!failed) return;
      switch (failed->cause) {
        case SpawnFailed::Cause::limits:
          complain(first_of("rlimit"), failed->why, Complaints::Kind::machine);
          launch.limits.clear();
          continue;
        case SpawnFailed::Cause::user:
          complain(first_of(options_.user ? "user" : "group"), failed->why, Complaints::Kind::machine);
          launch.identity.reset();
          continue;
        case SpawnFailed::Cause::capabilities:
          complain(first_of("keep-capabilities"), failed->why, Complaints::Kind::machine);
          launch.kept_capabilities = 0;
          continue;
        case SpawnFailed::Cause::directory:
          complain(first_of("chdir"), failed->why, Complaints::Kind::machine);
          return;
        case SpawnFailed::Cause::program:
        case SpawnFailed::Cause::other:
          complain(first_of(option),
                   option == "command" ? failed->why : fmt::format("{}: {}", option, failed->why),
                   Complaints::Kind::machine);
          return;
      }
    }
  }

  ReadOptions& read_;
  const RunOptions& options_;
  const std::vector<std::string>& environment_;
  HandoffCapabilities& capabilities_;
  bool it_runs_ = false;  // a graced of that name
  Plan plan_;
  std::vector<std::string> names_;  // of the sockets that workers get
};

}  // namespace

StartTrial try_start(ReadOptions& read, const std::vector<std::string>& environment,
                     HandoffCapabilities& capabilities) {
  return Trial(read, environment, capabilities).run();
}

}  // namespace graced
