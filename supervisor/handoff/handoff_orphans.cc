// What workers that are gone have left open, until others listen there.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "handoff/handoff.h"
#include "linux/sockets/accept_queue.h"

namespace graced {

// What has come to a worker whose process died, and nobody of those that it left behind has accepted.
void Handoff::hand_over_queues(const TrackedWorker& to, const std::set<std::string>& keys) {
  if (!queues_migrate_ || keys.empty()) return;
  const auto died = [&](const TrackedWorker& w) {
    return w.process_gone && !w.orphan && w.generation == to.generation && &w != &to;
  };
  std::vector<std::pair<Adoption*, ino_t>> handed_over;
  for (const auto& [by, s] : listening_of(died)) {
    if (s.predeclared || !keys.contains(s.key)) continue;
    shut(s);
    handed_over.emplace_back(by.adoption.get(), s.inode);
  }
  for (const auto& [adoption, inode] : handed_over) adoption->let_go(inode);
  if (!handed_over.empty()) take_leave_of_closed();
}

// What a worker that is gone listened on stays open until a living one of the serving generation listens
// there: meanwhile connections wait, and then the kernel hands them over.
void Handoff::drop_orphans() {
  std::map<std::string, const AdoptedSocket*> covered;
  for (const auto& [by, s] : listening_of([&](const TrackedWorker& w) { return gets_new(w); }))
    covered.emplace(s.key, &s);
  bool dropped = false;
  for (auto c = tracked_.begin(); c != tracked_.end();) {
    const auto at = c++;
    if (!at->orphan) continue;
    const bool done = std::ranges::all_of(at->sockets(), [&](const AdoptedSocket& s) {
      // A name of its own nobody binds again.
      return !s.listening || covered.contains(s.key) ||
             std::ranges::any_of(covered, [&](const auto& other) { return made_anew(s, *other.second); });
    });
    if (!done && at->generation == serving_) continue;
    let_go(at);
    dropped = true;
  }
  if (dropped) take_leave_of_closed();
}

void Handoff::note_kept_queues(TrackedWorker& tracked) const {
  const auto kept = [&](const TrackedWorker& w) { return w.orphan && w.generation == tracked.generation; };
  for (const auto& [by, s] : listening_of(kept)) {
    if (s.name) tracked.kept_queues[s.inode] = accept_queue(s.fd.get()).value_or(0);
  }
}

// Some servers look whether somebody listens on their unix socket before they bind it, and leave if so
// (php-fpm): what is kept for them until they do would keep them out for good. Such a look is a connection that
// nobody accepts.
void Handoff::let_go_of_what_keeps_out(const TrackedWorker& gone) {
  if (gone.ready || !gone.adoption || gone.generation != serving_) return;
  const std::vector<AdoptedSocket>& bound = gone.adoption->sockets();
  const auto kept = [&](const TrackedWorker& w) { return w.orphan && w.generation == gone.generation; };
  std::vector<std::pair<Adoption*, ino_t>> in_the_way;
  for (const auto& [by, s] : listening_of(kept)) {
    const auto before = gone.kept_queues.find(s.inode);
    if (before == gone.kept_queues.end() || s.shared()) continue;
    if (std::ranges::find(bound, s.key, &AdoptedSocket::key) != bound.end()) continue;
    if (accept_queue(s.fd.get()).value_or(0) <= before->second) continue;
    callbacks_.note(
        gone.worker,
        fmt::format(
            "{} was kept for the next worker, and one connected there and left without binding it: it is "
            "let go, with what waits there, for those that look first whether somebody listens",
            s.address));
    in_the_way.emplace_back(by.adoption.get(), s.inode);
  }
  for (const auto& [adoption, inode] : in_the_way) adoption->let_go(inode);
}

}  // namespace graced
