// The generation that stands by: what it has stays as it is, until it serves again or nobody needs it.
#include <algorithm>

#include "handoff/handoff.h"
#include "linux/sockets/hiding.h"

namespace graced {

void Handoff::promote_names() {
  const std::uint64_t standby = standby_.value_or(GenerationId{}).value;
  for (const std::string& complaint : names_.promote(serving_->value, standby)) callbacks_.note({}, complaint);
}

bool Handoff::listens_in(std::optional<GenerationId> generation, const std::string& key) const {
  if (!generation) return false;
  const auto passed = listeners_.find(*generation);
  return (passed != listeners_.end() &&
          std::ranges::any_of(passed->second, [&](const auto& l) { return l->key() == key; })) ||
         std::ranges::any_of(listening_of([&](const TrackedWorker& w) { return w.generation == generation; }),
                             [&](const Listening& l) { return l.socket.key == key; });
}

void Handoff::returns(WorkerId worker) {
  if (TrackedWorker* tracked = find(worker)) tracked->leaves = false;
  retirements_.stop(worker);
  datagrams_.returns(worker);
}

// A path is another generation's since that was promoted, and what only this one had was hidden for good. UDP
// sockets are as they were.
std::string Handoff::closed_to(GenerationId generation) const {
  for (const auto& [by, s] : listening_of([&](const TrackedWorker& w) { return w.generation == generation; })) {
    if (s.datagrams) continue;
    const bool lost = s.steerable()       ? is_unseen(s.fd.get())
                      : s.name->directory ? names_.in_place(s.name->directory, s.name->file) != s.name
                                          : false;
    if (lost) return s.address;
  }
  return "";
}

void Handoff::nobody_stands_by() {
  standby_.reset();
  hide_what_nobody_serves();
}

}  // namespace graced
