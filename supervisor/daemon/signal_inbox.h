// Signals that graced receives. graced(1) lists them.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "core/history.h"
#include "daemon/log.h"
#include "linux/event/loop.h"
#include "linux/self/rare_signals.h"
#include "workers/output_watch.h"

namespace graced {

class SignalInbox {
 public:
  struct Callbacks {
    std::function<void(const Asker&)> reload;
    std::function<void(const Asker&)> stop;
    std::function<void(const Asker&)> hammer;
    std::function<bool()> stops;             // whether graced does so already
    std::function<void(int signo)> pass_on;  // to the workers that serve
    std::function<void()> terminal_stops;    // graced, and its workers are to stop with it
    std::function<void()> children_changed;  // some have ended, were stopped or go on
  };

  // From now on they are heard. They must be blocked.
  SignalInbox(Loop& loop, Log& log, OutputWatch& own_output, Callbacks callbacks);

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    bool had_terminal = false;
    std::set<int> told{};
  };
  Kept kept() const { return {had_terminal_, told_}; }
  void take_over(Kept kept);

 private:
  void hang_up(const SignalSender& sender);
  void tell_of_rare_ones();

  Log& log_;
  Callbacks callbacks_;
  bool had_terminal_;
  std::optional<RareSignals> rare_;
  std::vector<Source> sources_;
  std::set<int> told_;  // of the rare ones
};

}  // namespace graced
