#include "daemon/signal_inbox.h"

#include <signal.h>
#include <sys/epoll.h>

#include <string>
#include <utility>

#include "daemon/asker_of.h"
#include "linux/self/terminal.h"
#include "options/option_values.h"

namespace graced {

namespace {

// What a service manager or a container engine may be told to send in the place of SIGTERM: systemd and its
// like, as PID 1, halt at the first and end at a power failure.
const int halt_signal = SIGRTMIN + 3;

constexpr int most_at_once = 64;  // of those that are queued: others have their turn then

}  // namespace

SignalInbox::SignalInbox(Loop& loop, Log& log, OutputWatch& own_output, Callbacks callbacks)
    : log_(log), callbacks_(std::move(callbacks)), had_terminal_(has_terminal()) {
  std::vector<int> heard{SIGTSTP};  // SIGCHLD is none of the rare ones
  const auto on = [&](int signo, std::function<void(const SignalSender&)> handler) {
    heard.push_back(signo);
    sources_.push_back(loop.on_signal(signo, Priority::in_turn,
                                      [&own_output, handler = std::move(handler)](const SignalSender& sender) {
                                        const OutputWatch::Later later(own_output);
                                        handler(sender);
                                      }));
  };
  on(SIGHUP, [this](const SignalSender& sender) { hang_up(sender); });
  for (const int signo : {SIGTERM, SIGINT, SIGQUIT, SIGPWR, halt_signal}) {
    on(signo, [this, signo](const SignalSender& sender) {
      log_.info("SIG{} received: {}", signal_name(signo),
                callbacks_.stops() ? "not waiting any longer" : "stopping");
      callbacks_.stop(asker_by_signal(signo, sender));
    });
  }
  on(SIGUSR2, [this](const SignalSender& sender) {
    log_.info("SIGUSR2 received: hammering what is draining");
    callbacks_.hammer(asker_by_signal(SIGUSR2, sender));
  });
  on(SIGUSR1, [this](const SignalSender&) { callbacks_.pass_on(SIGUSR1); });
  // Not collected for later: what is said before it stops is to be read while it is stopped.
  sources_.push_back(loop.on_signal(SIGTSTP, Priority::in_turn, [this](const SignalSender& sender) {
    sender.by_kernel ? callbacks_.terminal_stops() : callbacks_.pass_on(SIGTSTP);
  }));
  sources_.push_back(
      loop.on_signal(SIGCHLD, Priority::child, [this](const SignalSender&) { callbacks_.children_changed(); }));

  rare_.emplace(heard);
  sources_.push_back(loop.on_fd(rare_->fd(), EPOLLIN, Priority::in_turn, [this] { tell_of_rare_ones(); }));
}

void SignalInbox::take_over(Kept kept) {
  had_terminal_ = kept.had_terminal;
  told_ = std::move(kept.told);
}

void SignalInbox::tell_of_rare_ones() {
  for (int i = 0; i < most_at_once; ++i) {
    const auto received = rare_->next();
    if (!received) return;
    if (!told_.insert(received->signo).second) continue;
    // One outside of a container has no number here.
    const std::string from = received->sender > 0 ? fmt::format(" from PID {}", received->sender) : "";
    log_.warning("SIG{} received{}: it means nothing to graced (graced(1) lists what does)",
                 signal_name(received->signo), from);
  }
}

// A shell that ends sends it to its jobs, as anybody may who wants a reload; the kernel, when the terminal
// goes. Of two that come together graced hears of one.
void SignalInbox::hang_up(const SignalSender& sender) {
  const bool terminal_gone = sender.by_kernel || (had_terminal_ && !has_terminal());
  if (!terminal_gone) {
    log_.info("reload asked by SIGHUP");
    callbacks_.reload(asker_by_signal(SIGHUP, sender));
    return;
  }
  had_terminal_ = false;
  if (outlives_terminal()) {
    log_.info("the terminal is gone; going on, as SIGHUP was ignored when graced was started");
    return;
  }
  log_.info("the terminal is gone: stopping");
  callbacks_.stop(asker_by_signal(SIGHUP, sender));
}

}  // namespace graced
