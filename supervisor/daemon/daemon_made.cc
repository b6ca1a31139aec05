// Daemon: its objects, who of them knows whom, and what each is made of: of nothing, or of what the image
// before has kept of it.
#include <stdexcept>
#include <string>
#include <utility>

#include "daemon/daemon.h"
#include "daemon/daemon_state.h"
#include "linux/base/systemd.h"
#include "linux/proc/child_exits.h"
#include "linux/self/journal_socket.h"
#include "options/environment.h"

namespace graced {

namespace {

std::string variable(const std::vector<std::string>& environment, std::string_view name) {
  return find_variable(environment, name).value_or("");
}

SocketKeeper::Variables keeper_variables(const std::vector<std::string>& environment) {
  return {find_variable(environment, "FDSTORE"), find_variable(environment, "NOTIFY_SOCKET")};
}

ServiceManagerVariables manager_variables(const std::vector<std::string>& environment) {
  return {variable(environment, "NOTIFY_SOCKET"), variable(environment, "WATCHDOG_USEC"),
          variable(environment, "WATCHDOG_PID")};
}

}  // namespace

// Each object is made in its place, by one constructor or the other.
struct Daemon::Beginning {
  Invocation invocation{};
  RunOptions options{};
  std::function<void()> serves{};

  // Of the image before; null: graced is started.
  std::unique_ptr<DaemonState> before{};
  TakenListeners listeners{};
  TakenArtefacts artefacts{{}};
};

Daemon::Daemon(Invocation invocation, RunOptions options, std::function<void()> serves)
    : Daemon(Beginning{std::move(invocation), std::move(options), std::move(serves)}) {
  announcer_.open_control(presence_.instance().take_control_socket(), *this);
}

Daemon::Daemon(DaemonState before) : Daemon(beginning_of(std::move(before))) {}

Daemon::Beginning Daemon::beginning_of(DaemonState before) {
  Beginning b;
  b.listeners = TakenListeners(std::move(before.addresses.listeners));
  b.artefacts = TakenArtefacts(std::move(before.addresses.artefacts));
  b.before = std::make_unique<DaemonState>(std::move(before));
  return b;
}

Daemon::Daemon(Beginning b)
    : planner_(b.before ? Planner(loop_, std::move(b.before->planner), b.listeners)
                        : Planner(loop_, std::move(b.invocation), std::move(b.options))),
      outputs_(
          b.before
              ? ProcessOutputs(loop_, planner_.first_options(), variable(environment(), "JOURNAL_STREAM"),
                               std::move(b.before->outputs))
              : ProcessOutputs(loop_, planner_.first_options(), variable(environment(), "JOURNAL_STREAM"))),
      log_(outputs_.log_format(), planner_.first_options().log_level, planner_.first_options().name,
           [this](std::string_view line) { outputs_.own().log_line(line); }),
      presence_(b.before ? Presence(std::move(b.before->presence))
                         : Presence(planner_.first_options(), std::move(b.serves))),
      before_{Survivors(
                  loop_,
                  [this](const Survivors::Survivor& s, const std::string& what) {
                    log_.info({.generation = s.generation, .worker = s.slot, .worker_pid = s.pid}, "{}", what);
                  },
                  [this] { return launcher_.cgroups().processes(); }, [this] { happens(SurvivorsGone{}); }),
              Takeover({loop_, log_, pump_, addresses_, readers_})},
      words_(b.before
                 ? WorkerWords(loop_, std::move(b.before->words), {log_, pump_, workers_, ready_, failure_})
                 : WorkerWords(loop_, presence_.instance().notify_path(),
                               {log_, pump_, workers_, ready_, failure_})),
      launcher_(b.before ? Launcher(launcher_names(), std::move(b.before->launcher))
                         : Launcher(launcher_names())),
      announcer_(b.before
                     ? Announcer(loop_, log_, manager_variables(environment()), std::move(b.before->announcer))
                     : Announcer(loop_, log_, manager_variables(environment()))),
      pump_(planner_.first_options().policy, outputs_.own(),
            {.decided = [this] { decided(); },
             .perform =
                 [this](const Action& action) { std::visit([this](const auto& a) { perform(a); }, action); },
             .done = [this] { done(); }}),
      addresses_(b.before ? Addresses({loop_, log_, outputs_.own(), pump_, workers_, announcer_.manager()},
                                      presence_.instance().spare_path_place(), keeper_variables(environment()),
                                      address_callbacks(), std::move(b.before->addresses),
                                      {planner_.invocation(), b.listeners, b.artefacts})
                          : Addresses({loop_, log_, outputs_.own(), pump_, workers_, announcer_.manager()},
                                      presence_.instance().spare_path_place(), planner_.take_stored(),
                                      keeper_variables(environment()), address_callbacks())),
      ready_(b.before ? ReadyWatch(loop_, addresses_.handoff(), ready_callbacks(), b.before->ready)
                      : ReadyWatch(loop_, addresses_.handoff(), ready_callbacks())),
      examination_{Preflight(launcher_, outputs_),
                   ProbeLooks({loop_, launcher_, addresses_.handoff(), workers_},
                              [this](GenerationId g, unsigned probe, const std::optional<std::string>& saw) {
                                probe_saw(g, probe, saw);
                              }),
                   ArtefactLooks(loop_)},
      readers_({loop_, log_, planner_, addresses_, launcher_, outputs_, announcer_},
               [this](GenerationId g, unsigned step, const std::optional<std::string>& why_not) {
                 gate_ended(g, step, why_not);
               }),
      reaper_({loop_, log_, pump_, workers_, examination_.preflight, examination_.looks, readers_.runner(),
               readers_.gates(), ready_, addresses_.handoff(), launcher_.cgroups(), failure_},
              {.read_notifications = [this] { words_.read(); },
               .forgotten = [this](const WorkerProcess& w) { forgotten(w); },
               .checked = [this](const Preflight::Ended& check) { checked(check); },
               .tried = [this](const ChildExit& child) { return upgrading_.ended(child); },
               .told = [this] { addresses_.reload_for_free_name(); },
               .workers_ended = [this] { addresses_.look_again(); }}),
      advisor_(log_),
      upgrading_({loop_, log_, pump_, planner_, examination_, addresses_, ready_, announcer_, readers_},
                 [this] { return succession(); }) {
  outputs_.when_dropped([this](const OutputWatch::Dropped& dropped) { tell_dropped(dropped); });
  // Nobody waits for the journal either.
  log_.divert_journal([this](const std::vector<std::string>& fields) {
    return outputs_.own().log_entry(journal_entry(fields));
  });
  outputs_.log().when_more([this] { announcer_.control().tell_log_readers(); });
  adopt_orphans();  // of our workers, so that none is left behind
  if (b.before) take_over(*b.before, b.listeners, b.artefacts);
}

// The rest of it: what is only values.
void Daemon::take_over(DaemonState& before, const TakenListeners& listeners, const TakenArtefacts& artefacts) {
  pump_.take_over(std::move(before.core));
  workers_.take_over(std::move(before.workers), [this](int pipe) { return outputs_.find(pipe); });
  before_.take_over(std::move(before.before));
  readers_.take_over(std::move(before.readers));
  failure_ = std::move(before.failure);
  reaper_.take_over(std::move(before.reaper));
  advisor_.take_over(std::move(before.advisor));
  upgrading_.take_over(std::move(before.upgrading));
  announcer_.open_control(std::move(before.control), *this);
  signals_.emplace(loop_, log_, outputs_.own(), signal_callbacks());
  signals_->take_over(std::move(before.signals));
  for (const WorkerId id : before.ready.may_say_ready) {
    const WorkerProcess* worker = workers_.find(id);
    const Plan* plan = worker ? addresses_.find_plan(worker->generation) : nullptr;
    if (plan) ready_.watch(attended(*worker, *plan), ReadyRule::after);
  }
  if (const Plan* plan = addresses_.serving_plan()) {
    log_.set_level(plan->options.log_level);
    readers_.use(plan->options);
  }
  require_systemd();
  // It would be closed, and its file removed, and there would be nothing to go back to.
  if (listeners.any_unused() || artefacts.any_unused())
    throw std::runtime_error("the state has a socket or an artefact that nobody uses");
}

Launcher::Names Daemon::launcher_names() {
  return {planner_.first_options().name, presence_.instance().control_path(), words_.path()};
}

Addresses::Callbacks Daemon::address_callbacks() {
  return {.changed = [this](WorkerId w) { ready_.look_at(w); },
          .note = [this](WorkerId w, const std::string& note) { warn(w, note); },
          .closes = [this] { upgrading_.call_off_trial(); }};
}

ReadyWatch::Callbacks Daemon::ready_callbacks() {
  return {.ready = [this](WorkerId w) { happens(WorkerReady{w}); },
          .listening = [this](WorkerId w) { happens(WorkerListening{w}); },
          .unfit =
              [this](WorkerId w, const std::string& why) {
                happens(WorkerUnfit{w, why});
              },
          .note = [this](WorkerId w, const std::string& note) { warn(w, note); },
          .serving_waits = [this] { return serving_waits(); }};
}

}  // namespace graced
