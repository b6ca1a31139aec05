// Gives the core one event after the other and has its actions performed. What happens while an action is
// performed waits in an inbox: the core is never called from within.
#pragma once

#include <deque>
#include <functional>

#include "core/supervisor.h"
#include "linux/event/loop.h"
#include "workers/output_watch.h"

namespace graced {

class EventPump {
 public:
  struct Callbacks {
    std::function<void()> decided;  // status() is new, and nothing of what follows is done yet
    std::function<void(const Action&)> perform;
    std::function<void()> done;  // with all that followed from one event
  };

  // `first`: of the first generation. own_output: lines of the log go out when all is done.
  EventPump(Policy first, OutputWatch& own_output, Callbacks callbacks);

  // What another image of this process takes over, see linux/upgrade: between two events there is nothing else.
  const Supervisor& core() const { return core_; }
  bool idle() const { return !handling_ && inbox_.empty(); }
  void take_over(Supervisor core);

  // Handled before this returns, unless another one is being handled.
  void happens(Event event);

  // From within an action: handled when that is done.
  void post(Event event) { inbox_.push_back(std::move(event)); }

  // From now on the core's deadlines are kept. Once.
  void attend(Loop& loop);

  // As it was after the last event.
  const Status& status() const { return status_; }
  const WorkerStatus* status_of(WorkerId worker) const;  // null: it is gone
  Instant next_deadline() const { return core_.next_deadline(); }

 private:
  Supervisor core_;
  Status status_ = core_.status();
  OutputWatch& own_output_;
  Callbacks callbacks_;
  std::deque<Event> inbox_;
  bool handling_ = false;
  Source deadline_;
};

}  // namespace graced
