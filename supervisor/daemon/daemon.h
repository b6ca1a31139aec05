// Introduces the core to the edge: what happens goes in as events, what must be done comes out as
// actions and is done, each by the object whose role it is.
//
// A SIGHUP, in three files: signal_inbox.cc hears it, and it becomes ReloadAsked; core/supervisor.cc decides
// what follows; linux/worker/spawn.cc starts the new worker.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/vocabulary.h"
#include "daemon/addresses.h"
#include "daemon/advisor.h"
#include "daemon/announcer.h"
#include "daemon/asker_of.h"
#include "daemon/candidate_failure.h"
#include "daemon/event_pump.h"
#include "daemon/event_readers.h"
#include "daemon/examination.h"
#include "daemon/launcher.h"
#include "daemon/log.h"
#include "daemon/planner.h"
#include "daemon/predecessors.h"
#include "daemon/presence.h"
#include "daemon/process_outputs.h"
#include "daemon/reaper.h"
#include "daemon/signal_inbox.h"
#include "daemon/upgrading.h"
#include "daemon/worker_words.h"
#include "handoff/ready_watch.h"
#include "linux/control/control_server.h"
#include "linux/event/loop.h"
#include "linux/upgrade/named_descriptor.h"
#include "options/options.h"
#include "workers/workers.h"

namespace graced {

class TakenArtefacts;
class TakenListeners;
struct DaemonState;

class Daemon final : private ControlHandler {
 public:
  // All signals must be blocked. Throws std::exception with one line to show, having left nothing
  // behind, if there is no place for this instance to live.
  // `serves` is called once, when the first generation does; it may change what standard error is.
  Daemon(Invocation invocation, RunOptions options, std::function<void()> serves = {});

  // In the place of the image that has written this, see linux/upgrade. Nothing happens before go_on(): nothing
  // is read, said, reaped, bound or removed, so that the image before can still go on instead. Throws
  // std::exception; then, too, as long as nothing is unwound.
  explicit Daemon(DaemonState before);

  // Until the end; gives the exit status.
  int run();
  int go_on();  // the same where it has taken over

  // For another image to take over. Between two events, while nothing is in its way. Throws std::system_error.
  DaemonState state();
  // What this image has open for itself, and the other one makes anew.
  std::vector<NamedDescriptor> left();

  // Why it ended with another status than 0.
  const std::string& ended_because() const { return announcer_.ending().because; }

 private:
  struct Beginning;
  explicit Daemon(Beginning b);
  static Beginning beginning_of(DaemonState before);
  void take_over(DaemonState& before, const TakenListeners& listeners, const TakenArtefacts& artefacts);
  int until_the_end(const std::function<void()>& run);
  const std::vector<std::string>& environment() const { return planner_.environment(); }
  Launcher::Names launcher_names();
  Addresses::Callbacks address_callbacks();
  ReadyWatch::Callbacks ready_callbacks();

  // ControlHandler
  void asked_by(pid_t who, uid_t user) override { events().asks(asker_at_control_socket(who, user)); }
  void reload(RequestId by) override { ask_for_reload(by, false); }
  void reload_until_settled(RequestId by) override { ask_for_reload(by, true); }
  Aborted abort(pid_t who, uid_t user) override;
  RollbackOutcome rollback(pid_t who, uid_t user) override;
  void stop(RequestId by) override;
  unsigned hammer() override;
  void upgrade(RequestId by, UpgradeRequest request) override;
  Subscribed subscribed() const override {
    return {planner_.first_options().name, pump_.status().serving.value_or(GenerationId{}).value};
  }
  InstanceReport report() override;
  std::vector<InstanceEvent> history(std::size_t most) override { return readers_.history().last(most); }
  EventsSince events_since(Instant that) override { return readers_.since(that); }
  LogPage log_page(std::uint64_t from) override { return outputs_.page(from); }
  void control_failed(std::exception_ptr what) noexcept override { loop_.fail(std::move(what)); }

  // events in
  void tell_first();
  void attend();
  SignalInbox::Callbacks signal_callbacks();
  void pass_on(int signo);
  void stop_with_workers();
  void ask_for_reload(RequestId by, bool settled);
  void stop_asked(RequestId by);
  InstanceEvents& events() { return readers_.events(); }
  bool is_finished() const { return pump_.status().phase == Phase::finished; }
  void happens(Event event) { pump_.happens(std::move(event)); }
  void checked(const Preflight::Ended& check);
  void probe_saw(GenerationId generation, unsigned probe, const std::optional<std::string>& saw);
  void gate_ended(GenerationId candidate, unsigned step, const std::optional<std::string>& why_not);
  void forgotten(const WorkerProcess& worker);
  Succession succession();  // what another image gets, as it is now
  bool serving_waits();
  void forget_output();
  void tell_dropped(const OutputWatch::Dropped& dropped);

  // actions out
  void decided();
  void done();
  void perform(const Prepare&);
  void perform(const Spawn&);
  void perform(const Probe&);
  void perform(const Share&);
  void perform(const Gate&);
  void perform(const Switch&);
  void perform(const Join&);
  void perform(const RolledBack&);
  void perform(const Ailing&);
  void perform(const Replaced&);
  void perform(const Proven&);
  void perform(const Abandon&);
  void perform(const Retire&);
  void perform(const Settle&);
  void perform(const Return&);
  void perform(const Drain&);
  void perform(const DrainRest&);
  void perform(const Kill&);
  void perform(const DrainSurvivors&);
  void perform(const KillSurvivors&);
  void perform(const RetireTaken&);
  void perform(const DrainTaken&);
  void perform(const KillTaken&);
  void perform(const GiveBackTaken&);
  void perform(const Lost&);
  void perform(const Answer&);
  void perform(const Finished&);
  void prepare(GenerationId generation, const std::function<Plan()>& plan_of);
  void start_check(GenerationId generation, const Plan& plan);
  WorkerProcess& started(const Spawn& spawn, Spawned process, const Plan& plan);
  void not_started(const Spawn& spawn, Exit why);
  void tell_of_artefact(const WorkerProcess& worker, const Plan& plan, const Launch& launch);
  void tell_of_standby(const Switch&);
  void tell_what_is_not_shared(GenerationId candidate, bool any_is);
  void tell_what_probe_saw(GenerationId generation, unsigned probe, const std::optional<std::string>& saw);
  void not_replaced(const Abandon&, const std::string& why);
  std::string when_text(Instant at) const;  // another one is started
  static std::string named(pid_t who, uid_t user);
  RollbackOutcome roll_back(GenerationId from, GenerationId to, const std::string& by);
  void limit_draining(const RunOptions& options);
  AttendedWorker attended(const WorkerProcess& worker, const Plan& plan) const;
  void warn(WorkerId worker, const std::string& note);

  Loop loop_;
  Planner planner_;
  ProcessOutputs outputs_;
  Log log_;
  Presence presence_;
  Predecessors before_;
  WorkerWords words_;
  Launcher launcher_;
  Announcer announcer_;
  EventPump pump_;
  Workers workers_;
  Addresses addresses_;
  ReadyWatch ready_;
  Examination examination_;
  EventReaders readers_;
  CandidateFailure failure_;
  Reaper reaper_;
  Advisor advisor_;
  Upgrading upgrading_;
  std::optional<SignalInbox> signals_;
};

}  // namespace graced
