// Introduces the core to the edge: what happens goes in as events, what must be done comes out as
// actions and is done. Owns every edge object; the only one that logs.
//
// A SIGHUP, in three files: here it becomes ReloadAsked; core/supervisor.cc decides what follows;
// linux/worker/spawn.cc starts the new worker.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/supervisor.h"
#include "daemon/candidate_failure.h"
#include "daemon/handoff_capabilities.h"
#include "daemon/ignored_words.h"
#include "daemon/log.h"
#include "daemon/option_files.h"
#include "daemon/plan.h"
#include "handoff/handoff.h"
#include "handoff/listener_watch.h"
#include "handoff/ready_watch.h"
#include "handoff/settlements.h"
#include "handoff/socket_sets.h"
#include "handoff/stored_listeners.h"
#include "linux/control/control_server.h"
#include "linux/control/instance.h"
#include "linux/event/loop.h"
#include "linux/manager/fd_store.h"
#include "linux/manager/inherited_sockets.h"
#include "linux/manager/notify_fd.h"
#include "linux/manager/service_manager.h"
#include "linux/self/pid_file.h"
#include "linux/self/rare_signals.h"
#include "linux/worker/cgroup.h"
#include "linux/worker/notify_socket.h"
#include "linux/worker/output_pipe.h"
#include "linux/worker/starting_place.h"
#include "options/options.h"
#include "workers/output_watch.h"
#include "workers/outputs.h"
#include "workers/survivors.h"
#include "workers/workers.h"

namespace graced {

// As graced was started: what a reload reads its options from again.
struct Invocation {
  ParsedWords words;                     // what follows `graced run`
  std::vector<std::string> environment;  // NAME=VALUE
};

class Daemon : private ControlHandler {
 public:
  // All signals must be blocked. Throws std::exception with one line to show, having left nothing
  // behind, if there is no place for this instance to live.
  // `serves` is called once, when the first generation does; it may change what standard error is.
  Daemon(Invocation invocation, RunOptions options, std::function<void()> serves = {});

  // Until the end; gives the exit status.
  int run();

  // Why it ended with another status than 0.
  const std::string& ended_because() const { return ended_because_; }

 private:
  // What --check runs as, between Prepare and Prepared.
  struct Check {
    GenerationId generation;
    pid_t pid;
    std::string command;
    Instant began;
    Outputs outputs;
  };

  struct OutputPipes {  // none: inherited
    std::optional<OutputPipe> out;
    std::optional<OutputPipe> err;
  };

  // ControlHandler
  void asked_by(pid_t who) override;
  void reload(RequestId by) override;
  Aborted abort(pid_t who, uid_t user) override;
  void stop(RequestId by) override;
  unsigned hammer() override;
  InstanceReport report() override;
  void control_failed(std::exception_ptr what) noexcept override;

  // events in
  void attend();
  void listen_to_signals();
  void hang_up(bool by_kernel);
  void stop_with_workers();
  void pass_on(int signo);
  void hear_of_stops();
  void keep_watchdog_quiet();
  void happens(Event event);
  void post(Event event) { inbox_.push_back(std::move(event)); }  // from within an action
  void read_notifications();
  void heard(const Notification& said);
  void ignore_ready(pid_t sender);
  void reap();
  void process_ended(WorkerProcess& worker, const siginfo_t& info);
  Exit tell_end(const WorkerProcess& worker, const siginfo_t& info);
  bool look_at_rest(WorkerProcess& worker);
  void look_at_rests();
  void tell_rest(WorkerProcess& worker);
  void tell_rests();
  void forget(const WorkerProcess& worker);
  void check_ended(const siginfo_t& info);
  void watch_listeners();
  void listener_shut(const Listener& listener, ListenerWatch::Outcome outcome, const std::string& why);

  // actions out
  void perform(const Prepare&);
  void perform(const Spawn&);
  void perform(const Probe&);
  void perform(const Switch&);
  void perform(const Abandon&);
  void perform(const Retire&);
  void perform(const Settle&);
  void perform(const Drain&);
  void perform(const DrainRest&);
  void perform(const Kill&);
  void perform(const Lost&);
  void perform(const Answer&);
  void perform(const Finished&);
  // Where a reload begins to look for what has a relative name.
  struct Place {
    Fd directory;
    std::exception_ptr lost;  // why there is none
  };
  void prepare(GenerationId generation, const std::function<Plan()>& plan_of);
  Plan first_plan();
  Place place_again() const;
  Plan plan_of_reload(GenerationId generation, const Place& place, RunOptions options);
  void prepare_handoff(GenerationId generation, const Plan& plan);
  void store_adopted();
  bool is_followed();
  void keep_time_of_retired();
  void leave_socket_files();
  void shut_listeners();
  void advise(const WorkerProcess& worker, DrainRule rule);
  void warn_of_deaf(const WorkerProcess& worker);
  void limit_draining(const RunOptions& options);
  void leave_cgroup_if_empty(GenerationId generation);
  Duration quickest_start(GenerationId generation) const;
  void told(GenerationId generation);
  void give_up_sockets_if_empty(GenerationId generation);
  void reload_for_free_name();
  void start_check(GenerationId generation);
  void not_started(const Spawn& spawn, Exit why);
  void tell_of_artefact(const WorkerProcess& worker, const Plan& plan, const Launch& launch);
  Launch launch_in(const Plan& plan, GenerationId generation, std::vector<std::string> command,
                   const OutputPipes& pipes);
  OutputPipes make_pipes(const Plan& plan, bool watch_stderr) const;
  Outputs watch(OutputPipes pipes);
  OutputWatch& stdout_watch();
  std::string why_not_ready(const WorkerProcess& worker, bool said_all_is_well) const;
  bool is_on_trial(const WorkerProcess& worker) const;
  AttendedWorker attended(const WorkerProcess& worker, const Plan& plan) const;
  bool serving_waits();
  std::optional<ExitReport> last_exit(Instant now) const;
  void add_addresses(InstanceReport& report, GenerationId generation, const Plan& plan);
  void tell_of_workers();
  void tell_of_restarts();
  void tell_of_phase();
  void tell_service_manager();
  void watch_upstream();

  const WorkerStatus* status_of(WorkerId worker) const;  // null: it is gone

  // What comes to a worker if it goes on as it does: "killed".
  struct Step {
    Instant at;  // `no_deadline`: nothing does
    std::string what;
  };
  Step next_step(const WorkerStatus& worker, const WorkerProcess& process, Instant now) const;
  LogFields about(const WorkerProcess& worker) const;
  void warn(WorkerId worker, const std::string& note);

  Invocation invocation_;
  std::vector<std::string> inheritable_;  // of the environment
  StartingPlace starting_place_;
  std::function<void()> serves_;
  RunOptions first_options_;
  Loop loop_;
  OutputWatch stderr_;
  std::optional<OutputWatch> stdout_;  // where it is watched, and is not what stderr is
  Log log_;
  Instant started_ = monotonic_now();

  Inherited inherited_;
  Instance instance_;
  std::optional<PidFile> pid_file_;
  NotifyFd notify_fd_;
  Survivors survivors_;
  Cgroups cgroups_;
  NotifySocket notify_;
  ServiceManager manager_;
  FdStore store_;
  RestoredListeners restored_;
  Fd dev_null_;
  std::optional<ControlServer> control_;

  Supervisor core_;
  Status status_ = core_.status();  // what it was after the last event
  std::deque<Event> inbox_;
  bool handling_ = false;
  int exit_status_ = 0;
  std::string ended_because_;  // empty if all went well

  OptionFiles option_files_;
  std::map<GenerationId, Plan> plans_;  // of the serving generation and of the candidate
  Workers workers_;
  HandoffCapabilities capabilities_;
  std::optional<bool> followed_;  // by another graced; once that was asked
  SocketSets sets_;
  bool starts_at_once_ = false;  // the serving generation
  Handoff handoff_;
  Settlements settlements_;
  ReadyWatch ready_;
  IgnoredWords ignored_words_;
  std::set<std::string> told_notes_;  // what is said once: what this machine does not offer, advice
  ListenerWatch listener_watch_;
  std::optional<Check> check_;
  std::vector<ProcessId> askers_;  // of reloads, with those above them
  CandidateFailure failure_;

  // What is left of workers that the core may name as the last that ended by itself.
  struct Departed {
    pid_t pid;
    Duration lived;
    std::vector<std::string> last_lines;
  };
  std::map<WorkerId, Departed> departed_;

  // Told last, to tell changes only.
  Phase told_phase_ = Phase::starting;
  std::vector<WorkerStatus> told_workers_;  // by id, as the core counts them up
  std::vector<RestartStatus> told_restarts_;

  Source notifications_;
  Source manager_writable_;  // while it is behind
  std::vector<Source> signals_;
  bool had_terminal_ = false;
  std::optional<RareSignals> rare_signals_;
  Source rare_signal_;
  std::set<int> told_signals_;  // of the rare ones
  Source deadline_;
  Source watchdog_;
  Source rest_timer_;  // while somebody has not heard the drain signal yet
  Duration rest_pause_{};
};

}  // namespace graced
