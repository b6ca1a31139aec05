// Its life, and what it hears; see daemon.h. What follows for generations is in daemon_generations.cc, for
// processes in daemon_workers.cc, and what others are told in daemon_tells.cc.
#include "daemon/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <thread>

#include "linux/base/sys_error.h"
#include "linux/base/systemd.h"
#include "linux/self/journal.h"
#include "options/environment.h"
#include "options/option_values.h"

namespace graced {

namespace {

ServiceManagerVariables service_manager_variables(const std::vector<std::string>& environment) {
  return {find_variable(environment, "NOTIFY_SOCKET").value_or(""),
          find_variable(environment, "WATCHDOG_USEC").value_or(""),
          find_variable(environment, "WATCHDOG_PID").value_or("")};
}

Fd open_dev_null() {
  Fd fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!fd) throw sys_error("open /dev/null");
  return fd;
}

// How long the first workers have the machine to themselves: until one has its say, and then for its first
// answers.
constexpr Duration quick_word = 5ms;
constexpr Duration first_answers = 1ms;

}  // namespace

Daemon::Daemon(Invocation invocation, RunOptions options, std::function<void()> serves)
    : invocation_(std::move(invocation)),
      inheritable_(inheritable(invocation_.environment)),
      starting_place_(find_variable(invocation_.environment, "PWD").value_or("")),
      serves_(std::move(serves)),
      first_options_(std::move(options)),
      stderr_(loop_, STDERR_FILENO,
              is_journal(STDERR_FILENO, find_variable(invocation_.environment, "JOURNAL_STREAM").value_or(""))),
      log_(effective_log_format(first_options_.log_format,
                                find_variable(invocation_.environment, "JOURNAL_STREAM").value_or("")),
           first_options_.log_level, first_options_.name,
           [this](std::string_view line) { stderr_.log_line(line); }),
      inherited_(inherited_sockets(listen_variables(invocation_.environment))),
      instance_(first_options_.name, control_path(first_options_)),
      survivors_(
          loop_,
          [this](const Survivors::Survivor& s, const std::string& what) {
            log_.info({.generation = s.generation, .worker = s.slot, .worker_pid = s.pid}, "{}", what);
          },
          [this] { return cgroups_.processes(); }),
      notify_(instance_.notify_path()),
      manager_(service_manager_variables(invocation_.environment)),
      store_(manager_, std::move(inherited_.stored),
             FdStore::is_offered(find_variable(invocation_.environment, "FDSTORE").value_or(""),
                                 find_variable(invocation_.environment, "NOTIFY_SOCKET").value_or(""))),
      restored_(store_),
      dev_null_(open_dev_null()),
      core_(first_options_.policy),
      option_files_(loop_),
      sets_({.closes = [this](const Listener& l) { listener_watch_.forget(l); },
             .tell_of_arrivals = [this](const Listener& l,
                                        bool tell) { listener_watch_.tell_of_arrivals(l, tell); }}),
      handoff_(loop_, {.idle = [this](WorkerId w) { happens(WorkerIdle{w}); },
                       .changed = [this](WorkerId w) { ready_.look_at(w); },
                       .note = [this](WorkerId w, const std::string& note) { warn(w, note); },
                       .held = [this] { store_adopted(); }}),
      settlements_(loop_, [this](GenerationId g) { happens(Settled{g}); }),
      ready_(loop_, handoff_,
             {.ready = [this](WorkerId w) { happens(WorkerReady{w}); },
              .listening = [this](WorkerId w) { happens(WorkerListening{w}); },
              .unfit =
                  [this](WorkerId w, const std::string& why) {
                    happens(WorkerUnfit{w, why});
                  },
              .note = [this](WorkerId w, const std::string& note) { warn(w, note); },
              .serving_waits = [this] { return serving_waits(); }}),
      ignored_words_(loop_,
                     [this](GenerationId generation, const std::string& words) {
                       log_.info({.generation = generation.value},
                                 "of what it says some is ignored: {} (graced-worker(7) has the words)", words);
                     }),
      listener_watch_(
          loop_,
          [this](const Listener& listener, ListenerWatch::Outcome outcome, const std::string& why) {
            listener_shut(listener, outcome, why);
          },
          [this](const Listener& listener) { sets_.arrived(listener); }) {
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
  require_systemd();
  for (const std::string& note : first_options_.notes) log_.warning("{}", note);
  if (!inherited_.ignored.empty()) log_.warning("{}", inherited_.ignored);
  if (first_options_.draining_memory_high && !cgroups_.limits_memory()) {
    log_.warning("draining-memory-high has no effect: {}",
                 cgroups_.had() ? "the memory controller was not delegated to graced" : cgroups_.why_not());
  } else if (!cgroups_.had()) {
    log_.debug("workers are known by their process groups: {}", cgroups_.why_not());
  }
  if (manager_.anybody()) survivors_.find(first_options_.name);
  try {
    happens(ReloadAsked{nobody});
    if (status_.phase == Phase::finished) return exit_status_;
    if (!loop_.made() && notify_.wait(quick_word)) std::this_thread::sleep_for(first_answers);
    attend();
    loop_.run();
  } catch (...) {
    for (WorkerProcess& w : workers_)
      w.rest ? w.rest->kill() : end_all_below(w.pid);  // nobody would look after them
    throw;
  }
  return exit_status_;
}

void Daemon::attend() {
  control_->attend(loop_);
  notifications_ = loop_.on_fd(notify_.fd(), EPOLLIN, Priority::notify, [this] { read_notifications(); });
  notifications_.limit(10ms, 100);  // a flood must not keep the others from their turn
  deadline_ = loop_.timer([this] { happens(TimePassed{}); });
  deadline_.fire_at(core_.next_deadline());
  ready_.attend();
  stderr_.attend();
  if (stdout_) stdout_->attend();
  watch_listeners();
  listen_to_signals();
  keep_watchdog_quiet();
}

// The only thing that wakes an idle graced, and only where the manager asks for it.
void Daemon::keep_watchdog_quiet() {
  const auto interval = manager_.watchdog();
  if (!interval) return;
  watchdog_ = loop_.timer([this, interval] {
    manager_.tell_alive();
    watch_upstream();
    watchdog_.fire_at(after(monotonic_now(), *interval));
  });
  watchdog_.fire_at(after(monotonic_now(), *interval));
}

void Daemon::reload(RequestId by) {
  const OutputWatch::Later later(stderr_);
  log_.info("reload asked at the control socket");
  happens(ReloadAsked{by});
}

// One from another PID namespace has no number here.
Aborted Daemon::abort(pid_t who, uid_t user) {
  const OutputWatch::Later later(stderr_);
  std::string by = user == 0 ? "root" : fmt::format("uid {}", user);
  if (who > 0) by += fmt::format(" (PID {})", who);
  log_.info("abort asked at the control socket by {}", by);
  const auto candidate = status_.serving ? status_.candidate : std::nullopt;
  happens(AbortAsked{by});
  return {candidate.value_or(GenerationId{}).value, status_.reload_queued || status_.candidate};
}

void Daemon::stop(RequestId by) {
  const OutputWatch::Later later(stderr_);
  log_.info("stop asked at the control socket");
  happens(StopAsked{by});
}

unsigned Daemon::hammer() {
  const OutputWatch::Later later(stderr_);
  log_.info("hammer asked at the control socket");
  const auto killed = [this] {
    return static_cast<unsigned>(
        std::ranges::count(status_.workers, WorkerState::killed, &WorkerStatus::state));
  };
  const unsigned before = killed();
  happens(HammerAsked{});
  return killed() - before;
}

void Daemon::control_failed(std::exception_ptr what) noexcept {
  loop_.fail(std::move(what));
}

// An action that fails at once is an event of its own (post), never a call back into the core.
void Daemon::happens(Event event) {
  inbox_.push_back(std::move(event));
  if (handling_) return;
  handling_ = true;
  const OutputWatch::Later later(stderr_);
  while (!inbox_.empty()) {
    const Event next = std::move(inbox_.front());
    inbox_.pop_front();
    const std::vector<Action> actions = core_.handle(next, monotonic_now());
    status_ = core_.status();
    tell_of_workers();
    tell_of_restarts();
    for (const Action& action : actions) {
      std::visit([this](const auto& a) { perform(a); }, action);
    }
    keep_time_of_retired();
    tell_of_phase();
  }
  handling_ = false;
  if (deadline_) deadline_.fire_at(core_.next_deadline());
}

void Daemon::watch_listeners() {
  if (!deadline_) return;  // not before attend()
  std::vector<std::shared_ptr<Listener>> open;
  for (const auto& [generation, plan] : plans_) {
    for (const PassedSocket& s : plan.sockets) open.push_back(s.listener);
  }
  sets_.add_all(open);
  listener_watch_.watch(open, instance_.spare_path_place());
}

void Daemon::listener_shut(const Listener& listener, ListenerWatch::Outcome outcome, const std::string& why) {
  const OutputWatch::Later later(stderr_);
  const std::string& address = listener.address();
  switch (outcome) {
    case ListenerWatch::Outcome::listens_again:
      if (!sets_.listens_again(listener)) return;
      log_.warning(
          "{}: a worker shut the socket down for everybody; it listens again, but what waited in its "
          "queue was reset",
          address);
      return;
    case ListenerWatch::Outcome::trying:
      log_.error("{}: a worker shut the socket down for everybody: {}, retrying every second", address, why);
      return;
    case ListenerWatch::Outcome::lost:
      if (!listener.made_by_graced()) {
        log_.error(
            "{}: a worker shut the socket down for everybody, and only who opened it can open another one "
            "there: "
            "graced is to be stopped, and started again with that; workers of later generations get one that "
            "nobody can connect to",
            address);
        return;
      }
      log_.error(
          "{}: a worker shut the socket down for everybody; reloading{}, so that another one listens there",
          address, listener.can_be_replaced() ? "" : ", and once more when nobody has it any more");
      happens(ReloadAsked{nobody});
      return;
    case ListenerWatch::Outcome::queue_is_back:
      log_.info("{}: a worker changed for everybody how many connections may wait there: {} again", address,
                why);
      return;
    case ListenerWatch::Outcome::path_is_back:
      log_.warning("{}: the path was removed, by a worker that leaves perhaps; it is there again", address);
      return;
    case ListenerWatch::Outcome::path_is_gone:
      log_.error("{}: the path was removed and cannot be put back ({}); nobody reaches it until a reload",
                 address, why);
      return;
    case ListenerWatch::Outcome::path_is_taken:
      log_.error("{}: another file has taken the path's place and is left alone; nobody reaches graced there",
                 address);
      return;
    case ListenerWatch::Outcome::no_spare_path:
      log_.warning(
          "{}: should the path be removed, only a reload makes it anew, as no second name of it can be kept: "
          "{}",
          address, why);
      return;
    case ListenerWatch::Outcome::not_watched:
      log_.debug("{}: a path that is removed is noticed when a worker exits, or at a reload: {}", address, why);
      return;
  }
}

}  // namespace graced
