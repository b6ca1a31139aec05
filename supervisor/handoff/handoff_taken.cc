// A server that runs already, while it is taken over. It has sockets as a worker has, and is one here, so that
// all that holds between two generations holds between it and the first one. Only that it has no adoption: what
// it binds from now on is its own affair.
#include <fmt/format.h>

#include <algorithm>

#include "handoff/handoff.h"
#include "linux/base/duplicate.h"

namespace graced {

void Handoff::take(const RunningServer& server, const SteeringProbe& steering) {
  parked_ = graced::park(server, groups_, steering);
  TrackedWorker& taken = tracked_.emplace_back();
  taken.worker = taken_worker;
  taken.generation = taken_generation;
  taken.pid = server.pid();
  taken.ready = true;
  for (const RunningSocket& s : server.sockets()) {
    AdoptedSocket& socket = taken.taken.emplace_back();
    socket.key = s.key;
    socket.address = s.address;
    socket.inode = s.inode;
    socket.fd = duplicate(s.fd.get());
    socket.listening = true;
    taken_keys_.insert(s.key);
  }
  serving_ = taken_generation;
}

// What its group holds of it is closed here as well, and its sockets go on.
std::vector<std::string> Handoff::give_back() {
  std::vector<std::string> left;
  if (serving_ != taken_generation) return left;
  for (Parked& parked : parked_) {
    if (std::string why = parked.give_back(); !why.empty()) left.push_back(std::move(why));
  }
  parked_.clear();
  std::erase_if(tracked_, [](const TrackedWorker& w) { return w.generation == taken_generation; });
  serving_.reset();
  taken_keys_.clear();
  take_leave_of_closed();
  return left;
}

void Handoff::keep_taken() {
  for (Parked& parked : parked_) parked.keep();
  parked_.clear();
}

std::string Handoff::serving_text() const {
  if (serving_ == taken_generation) return "the server that is to be taken over";
  return fmt::format("generation {}", serving_->value);
}

}  // namespace graced
