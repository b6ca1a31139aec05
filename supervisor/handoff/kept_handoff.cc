#include "handoff/kept_handoff.h"

#include "handoff/kept_listeners.h"

namespace graced {

Handoff::Kept Handoff::kept(ListenerNumbers& numbers) const {
  Kept kept{.queues_migrate = queues_migrate_,
            .names = names_.kept(),
            .groups = groups_.kept(),
            .told_held = told_held_,
            .taken_keys = taken_keys_,
            .serving = serving_,
            .standby = standby_,
            .batches = batches_,
            .beside = beside_,
            .retirements = retirements_.kept(),
            .datagrams = datagrams_.kept(numbers)};
  if (sharing_) kept.sharing = {sharing_->candidate, sharing_->per_mille};
  for (const auto& [inode, fd] : restored_) kept.restored.emplace(inode, fd.get());
  kept.listeners = numbers.of(listeners_);
  for (const TrackedWorker& w : tracked_) {
    Kept::Worker& k = kept.tracked.emplace_back();
    k.worker = w.worker;
    k.generation = w.generation;
    k.pid = w.pid;
    if (w.adoption) k.adoption = w.adoption->kept(names_);
    for (const Fd& fd : w.promised) k.promised.push_back(fd.get());
    k.heard = static_cast<bool>(w.heard);
    k.seen_changes = w.seen_changes;
    k.changed = w.changed;
    k.kept_queues = w.kept_queues;
    k.ready = w.ready;
    k.joined = w.joined;
    k.leaves = w.leaves;
    k.process_gone = w.process_gone;
    k.orphan = w.orphan;
    for (const AdoptedSocket& s : w.taken) k.taken.push_back(kept_of(s, names_));
  }
  return kept;
}

Handoff::Handoff(Loop& loop, Callbacks callbacks, Kept kept, const TakenListeners& listeners)
    : loop_(loop),
      callbacks_(std::move(callbacks)),
      queues_migrate_(kept.queues_migrate),
      groups_(std::move(kept.groups)),
      told_held_(std::move(kept.told_held)),
      taken_keys_(std::move(kept.taken_keys)),
      serving_(kept.serving),
      standby_(kept.standby),
      batches_(kept.batches),
      beside_(kept.beside),
      retirements_(loop, retirement_callbacks(), kept.retirements),
      datagrams_(loop, datagram_callbacks(), std::move(kept.datagrams), listeners) {
  const TakenNames names = taken_names(kept.names.names);
  names_ = AdoptedNames(kept.names, names);
  if (kept.sharing) sharing_ = Sharing{kept.sharing->candidate, kept.sharing->per_mille};
  for (const auto& [inode, fd] : kept.restored) restored_.emplace(inode, Fd(fd));
  listeners_ = listeners.at(kept.listeners);
  for (Kept::Worker& k : kept.tracked) {
    TrackedWorker& w = tracked_.emplace_back();
    w.worker = k.worker;
    w.generation = k.generation;
    w.pid = k.pid;
    for (const int fd : k.promised) w.promised.emplace_back(fd);
    w.seen_changes = k.seen_changes;
    w.changed = k.changed;
    w.kept_queues = std::move(k.kept_queues);
    w.ready = k.ready;
    w.joined = k.joined;
    w.leaves = k.leaves;
    w.process_gone = k.process_gone;
    w.orphan = k.orphan;
    for (AdoptedSocket::Kept& s : k.taken) w.taken.push_back(taken_over(std::move(s), names));
    if (!k.adoption) continue;
    w.adoption = std::make_unique<Adoption>(std::move(*k.adoption), names_, names, arrives_of(w.worker),
                                            takes_datagrams_of(w.worker));
    if (k.heard) hear(w);
  }
}

}  // namespace graced
