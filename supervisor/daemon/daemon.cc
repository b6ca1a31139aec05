// Daemon: event loop, incoming events. How it comes into being is in daemon_made.cc. What it does for the core
// is in daemon_actions.cc.
#include "daemon/daemon.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "daemon/report.h"
#include "daemon/worker_log.h"
#include "linux/base/systemd.h"
#include "linux/proc/child_exits.h"
#include "linux/proc/send_signal.h"
#include "linux/self/footprint.h"
#include "linux/self/journal_socket.h"
#include "linux/self/terminal.h"
#include "options/environment.h"
#include "options/option_values.h"

namespace graced {

namespace {

// How long the first workers have the machine to themselves: until one has its say, and then for its first
// answers.
constexpr Duration quick_word = 5ms;
constexpr Duration first_answers = 1ms;

}  // namespace

// The first workers are started before anything is listened to, and before the loop is loaded, which
// takes as long as they do: where processors are few it would be at their expense, so a quick one may have
// its say first. What could keep an instance from living has been tried by then.
int Daemon::run() {
  require_systemd();
  tell_first();
  const bool survivors = announcer_.has_manager() && before_.survivors.find(planner_.first_options().name);
  return until_the_end([&] {
    if (survivors) happens(SurvivorsFound{});
    happens(ReloadAsked{nobody});
    if (is_finished() && !readers_.runner().busy()) return;
    if (!loop_.made() && words_.wait(quick_word)) std::this_thread::sleep_for(first_answers);
    announcer_.attend();
    attend();
    signals_.emplace(loop_, log_, outputs_.own(), signal_callbacks());
    loop_.run();
  });
}

// What has happened between the two images waits in queues, but for ends of children, of which the one before
// may have heard without looking, and what became of paths, which nobody watched.
int Daemon::go_on() {
  return until_the_end([&] {
    announcer_.go_on();
    attend();
    upgrading_.tell();
    reaper_.look();
    addresses_.look_at_paths();
    give_back_memory();  // what the state was read with
    loop_.run();
  });
}

int Daemon::until_the_end(const std::function<void()>& run) {
  try {
    run();
  } catch (...) {
    for (WorkerProcess& w : workers_)
      w.rest ? w.rest->kill() : kill_all_below(w.pid);  // nobody would look after them
    examination_.looks.give_up_all();
    throw;
  }
  return announcer_.ending().exit_status;
}

void Daemon::tell_first() {
  const RunOptions& options = planner_.first_options();
  const Cgroups& cgroups = launcher_.cgroups();
  for (const std::string& note : options.notes) log_.warning("{}", note);
  if (!planner_.ignored().empty()) log_.warning("{}", planner_.ignored());
  if (options.draining_memory_high && !cgroups.limits_memory()) {
    log_.warning("draining-memory-high has no effect: {}",
                 cgroups.had() ? "the memory controller was not delegated to graced" : cgroups.why_not());
  } else if (!cgroups.had()) {
    log_.debug("workers are known by their process groups: {}", cgroups.why_not());
  }
}

void Daemon::attend() {
  words_.attend();
  pump_.attend(loop_);
  ready_.attend();
  outputs_.attend();
  addresses_.attend();
}

SignalInbox::Callbacks Daemon::signal_callbacks() {
  return {.reload =
              [this](const Asker& by) {
                events().asks(by);
                events().reload_asked();
                happens(ReloadAsked{nobody});
              },
          .stop =
              [this](const Asker& by) {
                events().asks(by);
                events().asked();
                stop_asked(nobody);
              },
          .hammer =
              [this](const Asker& by) {
                events().asks(by);
                events().asked();
                happens(HammerAsked{});
              },
          .stops = [this] { return pump_.status().phase == Phase::stopping || is_finished(); },
          .pass_on = [this](int signo) { pass_on(signo); },
          .terminal_stops = [this] { stop_with_workers(); },
          .children_changed = [this] { reaper_.look(); }};
}

void Daemon::pass_on(int signo) {
  log_.info("SIG{} received: passed to the serving workers", signal_name(signo));
  for (const WorkerProcess& w : workers_) {
    const WorkerStatus* s = pump_.status_of(w.id);
    const bool joined = s && s->joined && w.generation == pump_.status().candidate;
    if ((w.generation == pump_.status().serving || joined) && !w.rest) signal_process(w, signo);
  }
}

// Workers are in process groups of their own, so the terminal's key reaches graced alone.
void Daemon::stop_with_workers() {
  log_.info("stopped by the terminal, with all workers; fg or SIGCONT goes on");
  for (const WorkerProcess& w : workers_) signal_group(w, SIGSTOP);
  stop_as_job();
  for (const WorkerProcess& w : workers_) signal_group(w, SIGCONT);
  log_.info("continued, with all workers");
}

void Daemon::ask_for_reload(RequestId by, bool settled) {
  const OutputWatch::Later later(outputs_.own());
  log_.info("reload asked at the control socket{}", settled ? ", until it is settled" : "");
  if (is_finished()) return announcer_.control().answer(by, false, 0, "graced is stopping");
  reaper_.trees().asked_by(events().asker().pid);
  events().reload_asked();
  happens(ReloadAsked{by, settled});
}

// Who asks. One from another PID namespace has no number here.
std::string Daemon::named(pid_t who, uid_t user) {
  std::string by = user == 0 ? "root" : fmt::format("uid {}", user);
  if (who > 0) by += fmt::format(" (PID {})", who);
  return by;
}

Aborted Daemon::abort(pid_t who, uid_t user) {
  const OutputWatch::Later later(outputs_.own());
  const std::string by = named(who, user);
  log_.info("abort asked at the control socket by {}", by);
  const Status& status = pump_.status();
  const auto candidate = status.serving && !status.replaces ? status.candidate : std::nullopt;
  happens(AbortAsked{by});
  return {candidate.value_or(GenerationId{}).value,
          status.reload_queued || (status.candidate && !status.replaces)};
}

void Daemon::stop(RequestId by) {
  const OutputWatch::Later later(outputs_.own());
  log_.info("stop asked at the control socket");
  events().asked();
  stop_asked(by);
}

// At the end only hooks are waited for, and not by who asks again.
void Daemon::stop_asked(RequestId by) {
  if (!is_finished()) return happens(StopAsked{by});
  if (by != nobody) announcer_.control().answer(by, true, 0, "stopped as asked");
  readers_.runner().give_up();
}

unsigned Daemon::hammer() {
  const OutputWatch::Later later(outputs_.own());
  log_.info("hammer asked at the control socket");
  const auto killed = [this] {
    return static_cast<unsigned>(
        std::ranges::count(pump_.status().workers, WorkerState::killed, &WorkerStatus::state));
  };
  const unsigned before = killed();
  events().asked();
  happens(HammerAsked{});
  return killed() - before;
}

void Daemon::upgrade(RequestId by, UpgradeRequest request) {
  const OutputWatch::Later later(outputs_.own());
  const Asker& who = events().asker();
  upgrading_.asked(by, std::move(request), named(who.pid, who.user.value_or(0)));
}

InstanceReport Daemon::report() {
  return report_of({planner_.first_options(), presence_.since(), pump_, workers_, addresses_,
                    examination_.artefacts, launcher_.cgroups(), examination_.preflight, failure_, reaper_,
                    before_, upgrading_});
}

// A generation lives as long as a process of it does, or it is to have one.
void Daemon::forget_output() {
  KeptOutput& kept = outputs_.log().kept();
  if (kept.empty()) return;
  const Status& status = pump_.status();
  kept.forget_unless([&](std::uint64_t number) {
    const GenerationId generation{number};
    return generation == status.serving || generation == status.candidate || workers_.count(generation) > 0;
  });
}

void Daemon::tell_dropped(const OutputWatch::Dropped& dropped) {
  if (dropped.own > 0)
    log_.warning("{} lines of graced's log were dropped while nobody read them", dropped.own);
  if (dropped.workers > 0)
    log_.warning("{} lines of workers were dropped while nobody read them", dropped.workers);
}

void Daemon::checked(const Preflight::Ended& check) {
  if (pump_.status().candidate != check.generation) return;
  if (check.exit.status == 0) {
    happens(Prepared{check.generation, addresses_.plan_of(check.generation).options.policy});
  } else {
    failure_.note_last_words(check.generation, check.last_words);
    happens(PreparationFailed{check.generation, "check: " + check.exit.how});
  }
}

// What the last one of a generation has left behind ends with it.
void Daemon::forgotten(const WorkerProcess& worker) {
  if (workers_.count(worker.generation) == 0) launcher_.cgroups().leave(worker.generation.value);
  addresses_.forgotten(worker);
}

// Any of its workers will do: they are of one kind.
bool Daemon::serving_waits() {
  const Plan* plan = addresses_.serving_plan();
  if (!plan) return false;
  const Status& status = pump_.status();
  return std::ranges::any_of(status.workers, [&](const WorkerStatus& s) {
    const WorkerProcess* worker = workers_.find(s.worker);
    return worker && s.generation == status.serving && s.state == WorkerState::ready &&
           ready_.is_seen_waiting(attended(*worker, *plan));
  });
}

AttendedWorker Daemon::attended(const WorkerProcess& worker, const Plan& plan) const {
  return {worker.id,
          worker.pid,
          {worker.generation.value, worker.slot, planner_.first_options().name},
          plan.sockets};
}

// About nobody if there is no such worker.
void Daemon::warn(WorkerId worker, const std::string& note) {
  const WorkerProcess* process = workers_.find(worker);
  log_.warning(process ? about(*process) : LogFields{}, "{}", note);
}

}  // namespace graced
