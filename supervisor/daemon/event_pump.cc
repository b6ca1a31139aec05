#include "daemon/event_pump.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace graced {

EventPump::EventPump(Policy first, OutputWatch& own_output, Callbacks callbacks)
    : core_(std::move(first)), own_output_(own_output), callbacks_(std::move(callbacks)) {}

void EventPump::happens(Event event) {
  inbox_.push_back(std::move(event));
  if (handling_) return;
  handling_ = true;
  const OutputWatch::Later later(own_output_);
  while (!inbox_.empty()) {
    const Event next = std::move(inbox_.front());
    inbox_.pop_front();
    const std::vector<Action> actions = core_.handle(next, monotonic_now());
    status_ = core_.status();
    callbacks_.decided();
    for (const Action& action : actions) callbacks_.perform(action);
    callbacks_.done();
  }
  handling_ = false;
  if (deadline_) deadline_.fire_at(core_.next_deadline());
}

void EventPump::take_over(Supervisor core) {
  core_ = std::move(core);
  status_ = core_.status();
}

void EventPump::attend(Loop& loop) {
  deadline_ = loop.timer([this] { happens(TimePassed{}); });
  deadline_.fire_at(core_.next_deadline());
}

const WorkerStatus* EventPump::status_of(WorkerId worker) const {
  const auto found = std::ranges::find(status_.workers, worker, &WorkerStatus::worker);
  return found == status_.workers.end() ? nullptr : &*found;
}

}  // namespace graced
