// A candidate that comes in batches serves beside what is left of the serving generation, until it serves alone
// or has failed. Each worker gets as many new connections as any other, as far as it has a socket of its own;
// what a generation was passed is one socket for all of its workers, and is chosen as often as there are such.
#include <algorithm>

#include "handoff/handoff.h"
#include "linux/base/inode.h"

namespace graced {

bool Handoff::gets_new(const TrackedWorker& worker) const {
  return worker.serves_in(serving_) || (worker.joined && worker.serves_in(beside_));
}

void Handoff::join(GenerationId candidate, const std::vector<WorkerId>& leaving) {
  probe(candidate, {});
  sharing_.reset();
  groups_.forget_shares();
  beside_ = candidate;
  std::set<WorkerId> joined;
  for (TrackedWorker& w : tracked_) {
    w.joined = w.joined || (w.generation == candidate && w.ready);
    w.leaves = w.leaves || std::ranges::find(leaving, w.worker) != leaving.end();
    if (w.joined) joined.insert(w.worker);
    if (w.leaves) datagrams_.leaves(w.worker);
  }
  for (const std::string& key : groups_.keys()) direct(key);
  datagrams_.join(candidate, std::move(joined));
  drop_orphans();
  tell_what_is_held();
}

void Handoff::leave_out(GenerationId candidate) {
  if (beside_ != candidate) return;
  beside_.reset();
  for (TrackedWorker& w : tracked_) w.leaves = w.leaves || w.generation == candidate;
  for (const std::string& key : groups_.keys()) direct(key);
  datagrams_.leave_out(candidate);
}

bool Handoff::begins_in_batches(GenerationId generation) const {
  return batches_.first == generation &&
         std::ranges::count(tracked_, generation, &TrackedWorker::generation) < batches_.second;
}

bool Handoff::all_listen_there(GenerationId generation, const std::string& key) const {
  return std::ranges::all_of(tracked_, [&](const TrackedWorker& w) {
    if (w.generation != generation || !w.adoption || w.orphan || w.process_gone) return true;
    return std::ranges::any_of(w.adoption->sockets(),
                               [&](const AdoptedSocket& s) { return s.listening && s.key == key; });
  });
}

// What is hidden until its generation serves is not let in before.
std::vector<ino_t> Handoff::chosen_for(const std::string& key) const {
  if (!beside_) {
    const std::set<ino_t> serving = listening_on(key, serving_.value_or(GenerationId{}));
    return {serving.begin(), serving.end()};
  }
  std::vector<ino_t> chosen;
  for (const auto& [by, s] : listening_of([&](const TrackedWorker& w) { return gets_new(w); })) {
    const bool hidden = by.generation == beside_ && s.hidden;
    const bool passed = s.predeclared && is_of_listen(by.generation, s);
    if (s.key == key && s.steerable() && !hidden && !passed) chosen.push_back(s.inode);
  }
  for (const auto& [generation, listeners] : listeners_) {
    const auto workers = std::ranges::count_if(
        tracked_, [&, of = generation](const TrackedWorker& w) { return w.generation == of && gets_new(w); });
    for (const auto& l : listeners) {
      const bool hidden = generation == beside_ && l->hidden();
      if (l->key() == key && !hidden)
        chosen.insert(chosen.end(), static_cast<std::size_t>(workers), inode_of(l->fd()));
    }
  }
  return chosen;
}

std::string Handoff::bound_path(GenerationId generation) const {
  for (const Listening& l : listening_of([&](const TrackedWorker& w) { return w.generation == generation; })) {
    if (l.socket.name && l.socket.name->directory) return l.socket.address;
  }
  return "";
}

}  // namespace graced
