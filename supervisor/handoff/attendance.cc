#include "handoff/attendance.h"

#include <algorithm>
#include <set>

#include "linux/proc/listening.h"
#include "linux/proc/socket_holders.h"

namespace graced {

namespace {

constexpr int first_passed = 3;  // descriptor

// The worker comes first: mostly it is the one, and nobody else needs to be looked for.
std::vector<pid_t> others_of(const AttendedWorker& worker) {
  std::vector<pid_t> found = descendants_of(worker.pid);
  for (const pid_t orphan : orphans_of(worker.pid, worker.mark)) {
    found.push_back(orphan);
    const std::vector<pid_t> below = descendants_of(orphan);
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

}  // namespace

std::vector<Attendance::Address> Attendance::addresses(const AttendedWorker& worker, bool adopted) const {
  std::vector<Address> found;
  found.reserve(worker.passed.size());
  for (const PassedSocket& p : worker.passed)
    found.push_back({p.listener->inode(), &p.listener->address(), true, !p.switched});
  if (!adopted) return found;
  const GenerationId generation{worker.mark.generation};
  for (const AdoptedSocket& s : handoff_.sockets_of(worker.id)) {
    if (s.listening && !handoff_.is_of_listen(generation, s))
      found.push_back({s.inode, &s.address, false, s.shared()});
  }
  return found;
}

Attendance::Seen Attendance::look(const AttendedWorker& worker, bool adopted) {
  const std::vector<Address> known = addresses(worker, adopted);
  Seen seen;
  seen.any_address = !known.empty();
  if (known.empty()) return seen;

  std::vector<ino_t> inodes;
  inodes.reserve(known.size());
  for (const Address& a : known) inodes.push_back(a.inode);
  SoughtSockets sockets(std::move(inodes));
  seen.hidden = find_waited_on({worker.pid}, sockets);
  if (!sockets.all_found()) {
    std::vector<pid_t> all = others_of(worker);
    const auto hidden = find_waited_on(all, sockets);
    if (!seen.hidden) seen.hidden = hidden;
    all.push_back(worker.pid);
    std::vector<ino_t> shared;
    for (const Address& a : known) {
      if (a.shared && sockets.wanted(a.inode)) shared.push_back(a.inode);
    }
    if (!shared.empty()) {
      SoughtSockets of_busy(shared);
      find_registered_by_busy(all, of_busy);
      for (const ino_t inode : shared) {
        if (!of_busy.wanted(inode)) sockets.found(inode);
      }
    }
  }
  if (sockets.all_found()) seen.hidden.reset();

  for (const Address& a : known) {
    if (!sockets.wanted(a.inode)) {
      seen.any_of_passed |= a.passed;
    } else if (std::ranges::find(seen.unattended, *a.text) == seen.unattended.end()) {
      seen.unattended.push_back(*a.text);
    }
  }
  seen.only_datagrams =
      !seen.unattended.empty() && std::ranges::all_of(seen.unattended, [&](const std::string& address) {
        return handoff_.is_bound_for_datagrams(worker.id, address);
      });
  // For the next look: it may have been closed.
  if (std::ranges::any_of(known, [&](const Address& a) { return !a.passed && sockets.wanted(a.inode); }))
    handoff_.forget_closed(worker.id);
  return seen;
}

bool Attendance::rests(const AttendedWorker& worker) const {
  return rest_of(worker.pid) == Rest::resting &&
         std::ranges::none_of(others_of(worker), [](pid_t pid) { return rest_of(pid) == Rest::busy; });
}

bool Attendance::has_passed(const AttendedWorker& worker) const {
  // Mostly where it was put.
  if (worker.passed.empty() || holds({worker.pid, first_passed}, worker.passed.front().listener->inode()))
    return true;
  std::set<ino_t> passed;
  for (const PassedSocket& p : worker.passed) passed.insert(p.listener->inode());
  std::vector<pid_t> all = others_of(worker);
  all.push_back(worker.pid);
  const auto holders = holders_among(all, passed);
  return !holders || !holders->empty();
}

}  // namespace graced
