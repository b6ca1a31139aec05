// Advice, and what this machine does not offer: each told once.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/policy.h"
#include "daemon/log.h"
#include "workers/worker_process.h"

namespace graced {

class Advisor {
 public:
  explicit Advisor(Log& log) : log_(log) {}

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    std::set<std::string> told{};
  };
  Kept kept() const { return {told_}; }
  void take_over(Kept kept) { told_ = std::move(kept.told); }

  void warn(const std::vector<std::string>& notes);

  // How a program like this worker's leaves best, if there is something to say. rule: how it is about to.
  void advise(const WorkerProcess& worker, DrainRule rule);

  // If the drain signal that was asked for by name ends it at once.
  void warn_if_signal_ends_it(const WorkerProcess& worker);

 private:
  Log& log_;
  std::set<std::string> told_;
};

}  // namespace graced
