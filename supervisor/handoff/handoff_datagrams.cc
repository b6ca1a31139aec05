// The UDP sockets that workers bind themselves, which are Datagrams' to direct.
#include <fmt/format.h>

#include <algorithm>

#include "handoff/handoff.h"
#include "linux/sockets/address_overlap.h"

namespace graced {

Datagrams::Callbacks Handoff::datagram_callbacks() {
  return {.idle =
              [this](WorkerId worker) {
                if (!retirements_.find(worker)) callbacks_.idle(worker);
              },
          .emptied = callbacks_.emptied,
          .note = [this](const std::string& note) { callbacks_.note({}, note); },
          .closes = callbacks_.closes};
}

void Handoff::connections_are_done(WorkerId worker) {
  if (!datagrams_.is_retired(worker)) callbacks_.idle(worker);
}

// What a ready worker binds is for a client as a rule, or to ask others: not an address that it serves, unless
// it has closed that one to bind it again.
bool Handoff::takes_datagrams(WorkerId worker, const std::string& key, int fd,
                              const SocketAddress& where) const {
  const TrackedWorker* tracked = find(worker);
  if (!tracked || tracked->leaves) return false;
  const bool has = std::ranges::count(tracked->adoption->sockets(), key, &AdoptedSocket::key) > 0;
  if (!datagrams_.takes(key, tracked->ready) || (tracked->ready && has)) return false;
  return !overlaps_datagrams(*tracked, key, fd, where);
}

// What another generation hears, if not by this very address: the more specific one would hear it from the
// moment that it is bound. Without graced the kernel refuses it.
bool Handoff::overlaps_datagrams(const TrackedWorker& by, const std::string& key, int fd,
                                 const SocketAddress& where) const {
  return std::ranges::any_of(tracked_, [&](const TrackedWorker& other) {
    if (other.generation == by.generation || !other.adoption) return false;
    return std::ranges::any_of(other.adoption->sockets(), [&](const AdoptedSocket& s) {
      return s.datagrams && s.fd && s.key != key && overlaps(s.fd.get(), fd, where);
    });
  });
}

void Handoff::note_datagrams(const TrackedWorker& tracked) {
  for (const AdoptedSocket& s : tracked.adoption->sockets()) {
    if (s.datagrams && s.fd) datagrams_.bound(tracked.worker, tracked.generation, s.key, s.fd.get(), s.inode);
  }
}

// They have no queue that could be handed over: whoever replaces the worker has its own.
void Handoff::let_go_of_datagrams(TrackedWorker& gone) {
  if (!gone.adoption) return;
  std::vector<ino_t> bound;
  for (const AdoptedSocket& s : gone.adoption->sockets()) {
    if (s.datagrams) bound.push_back(s.inode);
  }
  for (const ino_t inode : bound) gone.adoption->let_go(inode);
  if (!bound.empty()) take_leave_of_closed();
}

bool Handoff::misses_only_datagrams(WorkerId worker) const {
  const TrackedWorker* tracked = find(worker);
  return tracked && !missing(worker).empty() && first_missing(tracked->generation, false).empty();
}

bool Handoff::is_bound_for_datagrams(WorkerId worker, const std::string& address) const {
  return std::ranges::any_of(sockets_of(worker),
                             [&](const AdoptedSocket& s) { return s.datagrams && s.address == address; });
}

}  // namespace graced
