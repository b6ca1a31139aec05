// Signals that graced receives, and what it passes on to workers. graced(1) lists them.
#include <sys/epoll.h>
#include <sys/wait.h>

#include "daemon/daemon.h"
#include "linux/self/terminal.h"
#include "options/option_values.h"

namespace graced {

namespace {

// What a service manager or a container engine may be told to send in the place of SIGTERM: systemd and its
// like, as PID 1, halt at the first and end at a power failure.
const int halt_signal = SIGRTMIN + 3;

}  // namespace

void Daemon::listen_to_signals() {
  std::vector<int> heard{SIGTSTP};  // SIGCHLD is none of the rare ones
  const auto on = [&](int signo, std::function<void(bool by_kernel)> handler) {
    heard.push_back(signo);
    signals_.push_back(
        loop_.on_signal(signo, Priority::signal, [this, handler = std::move(handler)](bool by_kernel) {
          const OutputWatch::Later later(stderr_);
          handler(by_kernel);
        }));
  };
  had_terminal_ = has_terminal();
  on(SIGHUP, [this](bool by_kernel) { hang_up(by_kernel); });
  for (const int signo : {SIGTERM, SIGINT, SIGQUIT, SIGPWR, halt_signal}) {
    on(signo, [this, signo](bool) {
      const bool again = status_.phase == Phase::stopping;
      log_.info("SIG{} received: {}", signal_name(signo), again ? "not waiting any longer" : "stopping");
      happens(StopAsked{nobody});
    });
  }
  on(SIGUSR2, [this](bool) {
    log_.info("SIGUSR2 received: hammering what is draining");
    happens(HammerAsked{});
  });
  on(SIGUSR1, [this](bool) { pass_on(SIGUSR1); });
  // Not collected for later: what is said before it stops is to be read while it is stopped.
  signals_.push_back(loop_.on_signal(SIGTSTP, Priority::signal, [this](bool by_kernel) {
    by_kernel ? stop_with_workers() : pass_on(SIGTSTP);
  }));
  signals_.push_back(loop_.on_signal(SIGCHLD, Priority::child, [this](bool) { reap(); }));

  rare_signals_.emplace(heard);
  rare_signal_ = loop_.on_fd(rare_signals_->fd(), EPOLLIN, Priority::signal, [this] {
    while (const auto received = rare_signals_->next()) {
      if (!told_signals_.insert(received->signo).second) continue;
      // One outside of a container has no number here.
      const std::string from = received->sender > 0 ? fmt::format(" from PID {}", received->sender) : "";
      log_.warning("SIG{} received{}: it means nothing to graced (graced(1) lists what does)",
                   signal_name(received->signo), from);
    }
  });
}

// A shell that ends sends it to its jobs, as anybody may who wants a reload; the kernel, when the terminal
// goes. Of two that come together graced hears of one.
void Daemon::hang_up(bool by_kernel) {
  const bool terminal_gone = by_kernel || (had_terminal_ && !has_terminal());
  if (!terminal_gone) {
    log_.info("reload asked by SIGHUP");
    happens(ReloadAsked{nobody});
    return;
  }
  had_terminal_ = false;
  if (outlives_terminal()) {
    log_.info("the terminal is gone; going on, as SIGHUP was ignored when graced was started");
    return;
  }
  log_.info("the terminal is gone: stopping");
  happens(StopAsked{nobody});
}

// Workers are in process groups of their own, so the terminal's key reaches graced alone.
void Daemon::stop_with_workers() {
  log_.info("stopped by the terminal, with all workers; fg or SIGCONT goes on");
  for (const WorkerProcess& w : workers_) signal_group(w, SIGSTOP);
  stop_as_job();
  for (const WorkerProcess& w : workers_) signal_group(w, SIGCONT);
  log_.info("continued, with all workers");
}

void Daemon::pass_on(int signo) {
  const auto serving = status_.serving;
  log_.info("SIG{} received: passed to the serving workers", signal_name(signo));
  for (const WorkerProcess& w : workers_) {
    if (w.generation == serving && !w.rest) signal_process(w, signo);
  }
}

// Workers that are stopped and continued, by whomever: a stopped one looks like one that does not get ready.
void Daemon::hear_of_stops() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED | WNOHANG) != 0 || info.si_pid == 0) return;
    WorkerProcess* worker = workers_.find_pid(info.si_pid);
    if (!worker) continue;
    if (info.si_code == CLD_CONTINUED) {
      worker->stopped_by.clear();
      log_.info(about(*worker), "goes on");
      continue;
    }
    worker->stopped_by = "SIG" + signal_name(info.si_status);
    const bool wants_terminal = info.si_status == SIGTTIN || info.si_status == SIGTTOU;
    log_.warning(about(*worker), "stopped by {}{}", worker->stopped_by,
                 wants_terminal ? " (it wants the terminal, which is graced's)" : "");
  }
}

}  // namespace graced
