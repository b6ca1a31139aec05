// The old workers that get no new connections, each looked at when it is due, until it has none left.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/id.h"
#include "handoff/retirement.h"
#include "linux/event/loop.h"

namespace graced {

class Retirements {
 public:
  struct Callbacks {
    std::function<void(WorkerId)> idle;                      // it has finished, or cannot be watched
    std::function<void(WorkerId, const std::string&)> note;  // for the log
  };

  Retirements(Loop& loop, Callbacks callbacks) : loop_(loop), callbacks_(std::move(callbacks)) {}

  // See Retirement for all but the worker. Callbacks::idle is never called from here.
  void begin(WorkerId worker, pid_t pid, const std::vector<int>& listening,
             const std::optional<std::string>& cgroup, bool handshakes_move);

  // See Retirement::close(); nothing if it is not watched.
  void close(WorkerId worker, const Closing& closing);

  void follow(WorkerId worker, const std::vector<pid_t>& tops);  // see ConnectionWatch

  // Before its listening sockets are closed.
  void stop(WorkerId worker) { retiring_.erase(worker); }

  const Retirement* find(WorkerId worker) const;  // null: it is not watched
  bool any() const { return !retiring_.empty(); }

  using Kept = std::map<WorkerId, Retirement::Kept>;  // see Retirement
  Kept kept() const;
  Retirements(Loop& loop, Callbacks callbacks, const Kept& kept);
  std::vector<int> descriptors() const;  // that the other image makes anew

 private:
  void look();
  void look_soon();

  Loop& loop_;
  Callbacks callbacks_;
  std::map<WorkerId, Retirement> retiring_;
  Source timer_;
};

}  // namespace graced
