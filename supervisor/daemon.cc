// Events in, actions out; see daemon.h. What is done to processes is in daemon_workers.cc.
#include "daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <thread>

#include "linux/control_places.h"
#include "linux/footprint.h"
#include "linux/sys_error.h"
#include "linux/unit_state.h"
#include "options/environment.h"
#include "options/option_values.h"

namespace graced {

namespace {

// Of the names in the manager's store, see FdStore.
constexpr std::string_view adopted_family = "graced.adopted.";

ListenVariables listen_variables(const std::vector<std::string>& environment) {
  return {find_variable(environment, "LISTEN_PID"), find_variable(environment, "LISTEN_FDS"),
          find_variable(environment, "LISTEN_FDNAMES")};
}

UpstreamVariables upstream_variables(const std::vector<std::string>& environment) {
  return {find_variable(environment, "NOTIFY_SOCKET").value_or(""),
          find_variable(environment, "WATCHDOG_USEC").value_or(""),
          find_variable(environment, "WATCHDOG_PID").value_or("")};
}

Fd open_dev_null() {
  Fd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!fd) throw sys_error("open /dev/null");
  return fd;
}

std::string control_path(const RunOptions& options) {
  return options.control ? *options.control : default_control_path(options.name, control_places());
}

// What a reload cannot change, because others find this instance by it.
void refuse_changes(const RunOptions& first, const RunOptions& now) {
  const auto refuse = [](const char* option) {
    throw UsageError(fmt::format("'{}' cannot change in a reload: stop graced and start it again", option));
  };
  if (now.name != first.name) refuse("name");
  if (now.control != first.control) refuse("control");
  if (now.pid_file != first.pid_file) refuse("pid-file");
}

// How long the first workers have the machine to themselves: until one has its say, and then for its first
// answers.
constexpr Duration quick_word = 5ms;
constexpr Duration first_answers = 1ms;

}  // namespace

Daemon::Daemon(StartedWith started_with, RunOptions options, std::function<void()> serves)
    : started_with_(std::move(started_with)),
      inheritable_(inheritable(started_with_.environment)),
      serves_(std::move(serves)),
      first_options_(std::move(options)),
      stderr_(loop_),
      log_(effective_log_format(first_options_.log_format,
                                find_variable(started_with_.environment, "JOURNAL_STREAM").value_or("")),
           first_options_.log_level, first_options_.name,
           [this](std::string_view line) { stderr_.log_line(line); }),
      inherited_(inherited_sockets(listen_variables(started_with_.environment))),
      instance_(first_options_.name, control_path(first_options_)),
      survivors_(loop_,
                 [this](const Survivors::Survivor& s, const std::string& what) {
                   log_.info({.generation = s.generation, .worker = s.slot, .worker_pid = s.pid}, "{}", what);
                 }),
      notify_(instance_.notify_path()),
      upstream_(upstream_variables(started_with_.environment)),
      store_(upstream_, std::move(inherited_.stored),
             FdStore::is_offered(find_variable(started_with_.environment, "FDSTORE").value_or(""),
                                 find_variable(started_with_.environment, "NOTIFY_SOCKET").value_or(""))),
      restored_(store_),
      dev_null_(open_dev_null()),
      core_(first_options_.policy),
      handoff_(loop_, {.idle = [this](WorkerId w) { happens(WorkerIdle{w}); },
                       .changed =
                           [this](WorkerId w) {
                             if (WorkerProcess* process = find(w)) look_at(*process, monotonic_now());
                           },
                       .note =
                           [this](WorkerId w, const std::string& note) {
                             const WorkerProcess* process = find(w);
                             log_.warning(process ? about(*process) : LogFields{}, "{}", note);
                           },
                       .held = [this] { store_adopted(); }}),
      listener_watch_(loop_, [this](const Listener& listener, ListenerWatch::Outcome outcome,
                                    const std::string& why) { listener_shut(listener, outcome, why); }) {
  if (first_options_.notify_fd) notify_fd_ = NotifyFd(*first_options_.notify_fd);
  if (first_options_.pid_file) pid_file_.emplace(*first_options_.pid_file);
  // Orphans of our workers come to us, so that none is left behind.
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) throw sys_error("become the reaper of orphaned processes");
  control_.emplace(instance_.take_control_socket(), static_cast<ControlHandler&>(*this));
}

// The first workers are started before anything is listened to, and before the loop is loaded, which
// takes as long as they do: where processors are few it would be at their expense, so a quick one may have
// its say first. What could keep an instance from living has been tried by then.
int Daemon::run() {
  for (const std::string& note : first_options_.notes) log_.warning("{}", note);
  if (first_options_.draining_memory_high && !cgroups_.limits_memory()) {
    log_.warning("draining-memory-high has no effect: {}",
                 cgroups_.had() ? "the memory controller was not delegated to graced" : cgroups_.why_not());
  } else if (!cgroups_.had()) {
    log_.debug("workers are known by their process groups: {}", cgroups_.why_not());
  }
  if (upstream_.anybody()) survivors_.find(first_options_.name, cgroups_.processes());
  try {
    happens(ReloadAsked{nobody});
    if (status_.phase == Phase::finished) return exit_status_;
    if (!loop_.made() && notify_.wait(quick_word)) std::this_thread::sleep_for(first_answers);
    attend();
    loop_.run();
  } catch (...) {
    for (const WorkerProcess& w : workers_) end_all_below(w.pid);  // nobody would look after them
    throw;
  }
  return exit_status_;
}

void Daemon::attend() {
  control_->attend(loop_.event(), static_cast<std::int64_t>(Turn::control));
  notifications_ = loop_.on_fd(notify_.fd(), EPOLLIN, Turn::notify, [this] { read_notifications(); });
  notifications_.limit(10ms, 100);  // a flood must not keep the others from their turn
  deadline_ = loop_.timer([this] { happens(TimePassed{}); });
  deadline_.fire_at(core_.next_deadline());
  look_ = loop_.timer([this] { look(); });
  look_.fire_at(next_look_);
  stderr_.attend();
  watch_listeners();
  listen_to_signals();
  keep_watchdog_quiet();
}

void Daemon::listen_to_signals() {
  const auto on = [this](int signo, std::function<void()> handler) {
    signals_.push_back(loop_.on_signal(signo, Turn::signal, [this, handler = std::move(handler)] {
      const StderrWatch::Later later(stderr_);
      handler();
    }));
  };
  on(SIGHUP, [this] {
    log_.info("reload asked by SIGHUP");
    happens(ReloadAsked{nobody});
  });
  for (const int signo : {SIGTERM, SIGINT, SIGQUIT}) {
    on(signo, [this, signo] {
      const bool again = status_.phase == Phase::stopping;
      log_.info("SIG{} received: {}", signal_name(signo), again ? "not waiting any longer" : "stopping");
      happens(StopAsked{nobody});
    });
  }
  on(SIGUSR2, [this] {
    log_.info("SIGUSR2 received: hammering what is draining");
    happens(HammerAsked{});
  });
  for (const int signo : {SIGUSR1, SIGTSTP}) {
    on(signo, [this, signo] { pass_on(signo); });
  }
  signals_.push_back(loop_.on_signal(SIGCHLD, Turn::child, [this] { reap(); }));
}

// The only thing that wakes an idle graced, and only where the manager asks for it.
void Daemon::keep_watchdog_quiet() {
  const auto interval = upstream_.watchdog();
  if (!interval) return;
  watchdog_ = loop_.timer([this, interval] {
    upstream_.tell_alive();
    watch_upstream();
    watchdog_.fire_at(after(monotonic_now(), *interval));
  });
  watchdog_.fire_at(after(monotonic_now(), *interval));
}

// ---- the control socket ----------------------------------------------------------------------

void Daemon::reload(RequestId by) {
  const StderrWatch::Later later(stderr_);
  log_.info("reload asked at the control socket");
  happens(ReloadAsked{by});
}

void Daemon::stop(RequestId by) {
  const StderrWatch::Later later(stderr_);
  log_.info("stop asked at the control socket");
  happens(StopAsked{by});
}

unsigned Daemon::hammer() {
  const StderrWatch::Later later(stderr_);
  log_.info("hammer asked at the control socket");
  killed_ = 0;
  happens(HammerAsked{});
  return killed_;
}

void Daemon::control_failed(std::exception_ptr what) noexcept {
  loop_.fail(std::move(what));
}

// ---- from event to action --------------------------------------------------------------------

// An action that fails at once is an event of its own (post), never a call back into the core.
void Daemon::happens(Event event) {
  inbox_.push_back(std::move(event));
  if (handling_) return;
  handling_ = true;
  const StderrWatch::Later later(stderr_);
  while (!inbox_.empty()) {
    const Event next = std::move(inbox_.front());
    inbox_.pop_front();
    const std::vector<Action> actions = core_.handle(next, monotonic_now());
    status_ = core_.status();
    tell_of_workers();
    for (const Action& action : actions) {
      std::visit([this](const auto& a) { perform(a); }, action);
    }
    keep_time_of_retired();
    tell_of_phase();
  }
  handling_ = false;
  if (deadline_) deadline_.fire_at(core_.next_deadline());
}

void Daemon::perform(const Prepare& a) {
  stranger_.clear();
  failure_code_ = 0;
  const auto serving = status_.serving;
  try {
    RunOptions options = first_options_;
    // The command line and the environment stay as they were; only files can have changed.
    if (serving && (options.config || !options.env_files.empty())) {
      options = load_run_options(started_with_.words, started_with_.environment);
      refuse_changes(first_options_, options);
    }
    const Plan* current = serving ? &plans_.at(*serving) : nullptr;
    handoff_.forget_closed();
    plans_.insert_or_assign(a.generation, make_plan(std::move(options), inherited_.sockets, current,
                                                    inheritable_, means_, serving ? nullptr : &restored_));
    watch_listeners();
    const Plan& plan = plans_.at(a.generation);
    prepare_handoff(a.generation, plan);
    if (!serving) {
      log_.info("graced {} supervises '{}' with PID {}, control socket {}", GRACED_VERSION, first_options_.name,
                ::getpid(), instance_.control_path());
      for (const auto& listener : restored_.taken()) log_.info("listens on {} again", listener->address());
    }
    if (serving && !plan.check.empty()) {
      start_check(a.generation);
    } else {
      post(Prepared{a.generation, plan.options.policy});
    }
  } catch (const std::exception& e) {
    if (const auto* known = dynamic_cast<const std::system_error*>(&e)) failure_code_ = known->code().value();
    const bool usage = dynamic_cast<const UsageError*>(&e) != nullptr;
    post(PreparationFailed{a.generation, e.what(), usage ? 2 : 1});
  }
}

void Daemon::prepare_handoff(GenerationId generation, const Plan& plan) {
  for (const std::string& note : plan.handoff.notes) {
    if (told_notes_.insert(note).second) log_.warning("{}", note);
  }
  std::vector<Fd> restored;
  for (StoredDescriptor& d : store_.take(adopted_family)) restored.push_back(std::move(d.fd));
  if (!plan.handoff.adopt && !restored.empty()) store_.hold(adopted_family, {});
  if (!plan.handoff.switched) return;
  handoff_.steer_by(means_.steering());
  if (plan.handoff.adopt) handoff_.restore(std::move(restored));
  std::vector<std::shared_ptr<Listener>> own;
  for (const PassedSocket& s : plan.sockets) {
    if (s.switched) own.push_back(s.listener);
  }
  handoff_.opened(generation, std::move(own));
}

// Once they serve, as with the other sockets: before, those that an earlier graced had stay.
void Daemon::store_adopted() {
  if (status_.phase == Phase::stopping && !is_followed()) return;
  std::map<std::string, int> descriptors;
  // What new connections wait in until the next graced belongs to a --listen, if that is its address.
  std::map<const Listener*, int> waiting;
  const auto plan = plans_.find(status_.serving.value_or(GenerationId{}));
  const bool stopping = status_.phase == Phase::stopping && plan != plans_.end();
  for (const auto& [inode, fd] : handoff_.adopted_sockets()) {
    const Listener* listener = nullptr;
    for (const PassedSocket& s : stopping ? plan->second.sockets : std::vector<PassedSocket>{}) {
      if (s.switched && group_key(s.listener->fd()) == group_key(fd)) listener = s.listener.get();
    }
    if (listener) {
      waiting.emplace(listener, fd);
    } else {
      descriptors.emplace(fmt::format("{}{}", adopted_family, inode), fd);
    }
  }
  store_.hold(adopted_family, descriptors);
  if (!waiting.empty()) store_listeners(store_, plan->second.sockets, waiting);
}

void Daemon::keep_time_of_retired() {
  if (!handoff_.any_retired()) return;
  for (const WorkerStatus& w : core_.status().workers) {
    if (w.state == WorkerState::retiring) handoff_.retirement_ends(w.worker, w.last_call, w.deadline);
  }
}

void Daemon::perform(const Switch& a) {
  handoff_.switch_to(a.to);
  const Status& status = status_;
  const Plan& plan = plans_.at(a.to);
  log_.set_level(plan.options.log_level);
  for (const ChangedSocket& s : plan.changed) {
    try {
      apply_options(*s.listener, s.options);
    } catch (const std::exception& e) { log_.warning("{}", e.what()); }
  }
  // Addresses that nobody needs any more are closed with their plan; draining workers keep theirs.
  std::erase_if(plans_, [&](const auto& p) { return p.first != a.to; });
  watch_listeners();
  store_listeners(store_, plan.sockets);
  restored_.forget_taken();
  limit_draining(plan.options);
  candidate_last_words_.clear();
  if (!status.last_reload) give_back_memory();  // the start is over
  if (status.last_reload && status.last_reload->generation == a.to) {
    control_->reload_finished(a.to.value, true, "");
    log_.info({.generation = a.to.value}, "serves, the reload took {}",
              to_rough_text(status.last_reload->took));
  } else {
    log_.info({.generation = a.to.value}, "serves");
  }
  notify_fd_.ready();
  survivors_.drain(plan.options.drain_signal, plan.options.policy.drain_timeout);
  if (serves_) stderr_.change_output(std::exchange(serves_, {}));
}

void Daemon::perform(const Abandon& a) {
  if (check_ && check_->generation == a.generation) {
    end_all_below(check_->pid);  // reaped like any orphan
    stderr_.release(check_->output);
    check_.reset();
  }
  std::string missing;  // what an adopted one was waited for
  for (const WorkerProcess& w : workers_) {
    if (w.generation != a.generation) continue;
    if (w.output && candidate_last_words_.empty()) candidate_last_words_ = w.output->lines.last_lines();
    if (w.watch_listening && missing.empty()) missing = handoff_.waits_for(w.id, monotonic_now());
  }
  if (const auto plan = plans_.find(a.generation); plan != plans_.end()) limit_draining(plan->second.options);
  leave_cgroup_if_empty(a.generation);
  plans_.erase(a.generation);
  handoff_.drop(a.generation);
  watch_listeners();

  failure_ = {a.why, missing.empty() ? "" : ": " + missing};
  if (!stranger_.empty()) failure_.details += " (" + stranger_ + ")";
  const std::string why = a.why + failure_.details;
  for (const std::string& line : candidate_last_words_) failure_.details += "\n" + line;
  candidate_last_words_.clear();

  const auto serving = status_.serving;
  if (serving) {
    control_->reload_finished(a.generation.value, false, in_full(a.why));
    log_.error({.generation = a.generation.value}, "failed: {}; generation {} still serves", why,
               serving->value);
  } else {
    log_.error({.generation = a.generation.value}, "could not start: {}", why);
  }
}

void Daemon::perform(const Answer& a) {
  control_->answer(a.to, a.ok, a.generation.value, a.ok ? a.why : in_full(a.why));
}

void Daemon::perform(const Finished& a) {
  exit_status_ = a.exit_status;
  if (a.exit_status != 0) ended_because_ = a.why;
  if (a.exit_status == 0) {
    log_.info("{}", a.why);
  } else if (a.why != failure_.why) {  // a failed start was told already
    log_.error("{}", a.why);
  }
  // Those of a start that failed may be all that serves.
  if (a.exit_status == 0) survivors_.hammer();
  leave_socket_files();
  loop_.leave();
}

// Does the manager keep the sockets for a graced that it starts again when this one has ended? Asked once, at
// the end.
bool Daemon::is_followed() {
  if (followed_) return *followed_;
  followed_ = false;
  if (!upstream_.anybody()) return false;
  const auto state = unit_state(find_variable(started_with_.environment, "NOTIFY_SOCKET").value_or(""));
  // Who may not ask knows at least, from systemd 254 on, whether there is a store.
  followed_ = state ? graced::is_followed(*state, exit_status_)
                    : find_variable(started_with_.environment, "FDSTORE").has_value();
  return *followed_;
}

// Where the manager keeps the sockets for a graced that is to follow, their files stay as well, or nobody
// could connect meanwhile. Otherwise nothing stays.
void Daemon::leave_socket_files() {
  std::vector<std::shared_ptr<Listener>> with_file = restored_.taken();
  for (const auto& [generation, plan] : plans_) {
    for (const PassedSocket& s : plan.sockets) with_file.push_back(s.listener);
  }
  std::erase_if(with_file, [](const auto& listener) { return listener->file() == FileId{}; });
  if (with_file.empty() || !is_followed()) return;
  for (const auto& listener : with_file) listener->leave_file();
}

// A failure's details belong to its reason, wherever that is shown.
std::string Daemon::in_full(const std::string& why) const {
  return why == failure_.why ? why + failure_.details : why;
}

// ---- a worker that shuts a shared socket down ------------------------------------------------

void Daemon::watch_listeners() {
  if (!deadline_) return;  // not before attend()
  std::vector<std::shared_ptr<Listener>> open;
  for (const auto& [generation, plan] : plans_) {
    for (const PassedSocket& s : plan.sockets) open.push_back(s.listener);
  }
  listener_watch_.watch(open);
}

void Daemon::listener_shut(const Listener& listener, ListenerWatch::Outcome outcome, const std::string& why) {
  const StderrWatch::Later later(stderr_);
  const std::string& address = listener.address();
  switch (outcome) {
    case ListenerWatch::Outcome::listens_again:
      log_.warning(
          "{}: a worker shut the socket down for everybody; it listens again, but what waited in its "
          "queue was reset",
          address);
      return;
    case ListenerWatch::Outcome::trying:
      log_.error("{}: a worker shut the socket down for everybody: {}, retrying every second", address, why);
      return;
    case ListenerWatch::Outcome::lost:
      if (!listener.can_be_replaced()) {
        log_.error(
            "{}: a worker shut the socket down for everybody, and nothing can listen there before graced "
            "is stopped and started again",
            address);
        return;
      }
      log_.error(
          "{}: a worker shut the socket down for everybody; reloading, so that another one listens there",
          address);
      happens(ReloadAsked{nobody});
      return;
  }
}

}  // namespace graced
