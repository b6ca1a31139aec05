// What each worker listens on, whom the kernel gives new connections, and who has finished.
#include "handoff/handoff.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <set>

#include "linux/base/duplicate.h"
#include "linux/base/inode.h"
#include "linux/sockets/group_key.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_socket.h"
#include "linux/steering/bpf_program.h"

namespace graced {

Handoff::Handoff(Loop& loop, Callbacks callbacks)
    : loop_(loop),
      callbacks_(std::move(callbacks)),
      retirements_(loop, retirement_callbacks()),
      datagrams_(loop, datagram_callbacks()) {}

Retirements::Callbacks Handoff::retirement_callbacks() {
  return {[this](WorkerId w) { connections_are_done(w); }, callbacks_.note};
}

void Handoff::opened(GenerationId generation, std::vector<std::shared_ptr<Listener>> listeners) {
  // They may have been restored: see restore().
  if (!serving_) {
    for (const auto& l : listeners) detach_choice(l->fd());
  }
  for (const auto& l : listeners) groups_.join(l->key(), l->fd(), inode_of(l->fd()));
  listeners_[generation] = std::move(listeners);
}

void Handoff::restore(std::vector<Fd> sockets) {
  for (Fd& fd : sockets) {
    const std::string key = group_key(fd.get());
    if (key.empty() || !is_listening(fd.get()) || !show_again(fd.get())) continue;
    // A socket can be in one array of the kernel's only, and an earlier graced had put it into one.
    detach_choice(fd.get());
    const ino_t inode = inode_of(fd.get());
    groups_.join(key, fd.get(), inode);
    restored_.emplace(inode, std::move(fd));
  }
}

void Handoff::started(WorkerId worker, GenerationId generation, pid_t pid, Fd notifications,
                      bool wait_killable) {
  TrackedWorker& tracked = tracked_.emplace_back();
  tracked.worker = worker;
  tracked.generation = generation;
  tracked.pid = pid;
  if (!notifications) return;

  // By the worker's own hand or by graced's: whoever binds an address that is there gets that one.
  std::vector<Adoption::Predeclared> predeclared;
  for (const auto& l : listeners_[generation]) predeclared.push_back({l->key(), l->fd()});
  for (const auto& l : datagrams_.passed(generation)) predeclared.push_back({datagram_key(l->fd()), l->fd()});
  for (const auto& [inode, fd] : restored_) predeclared.push_back({group_key(fd.get()), fd.get()});
  if (!queues_migrate_) {
    const auto left = [&](const TrackedWorker& w) {
      return (w.orphan || w.process_gone) && w.generation == generation;
    };
    for (const auto& [by, s] : listening_of(left)) {
      if (!s.steerable()) continue;
      tracked.promised.push_back(duplicate(s.fd.get()));
      predeclared.push_back({s.key, tracked.promised.back().get()});
    }
  }
  note_kept_queues(tracked);
  tracked.changed = monotonic_now();
  tracked.adoption =
      std::make_unique<Adoption>(std::move(notifications), wait_killable, generation.value, names_,
                                 std::move(predeclared), arrives_of(worker), takes_datagrams_of(worker));
  hear(tracked);
}

Adoption::Arrives Handoff::arrives_of(WorkerId worker) {
  return [this, worker](const std::string& key, int fd, const SocketAddress& where) {
    Adoption::Arrival found = arrival(worker, key, fd, where);
    found.reuse_address = taken_keys_.contains(key);
    return found;
  };
}

Adoption::TakesDatagrams Handoff::takes_datagrams_of(WorkerId worker) {
  return [this, worker](const std::string& key, int fd, const SocketAddress& where) {
    return takes_datagrams(worker, key, fd, where);
  };
}

void Handoff::hear(TrackedWorker& tracked) {
  tracked.heard = loop_.on_fd_or_hangup(tracked.adoption->fd(), Priority::in_turn,
                                        [this, worker = tracked.worker](bool hung_up) {
                                          if (hung_up) return stop_listening_to(worker);
                                          if (catch_up(worker)) callbacks_.changed(worker);
                                        });
}

void Handoff::stop_listening_to(WorkerId worker) {
  if (TrackedWorker* tracked = find(worker)) tracked->heard = Source();
}

bool Handoff::catch_up(WorkerId worker) {
  TrackedWorker* tracked = find(worker);
  if (!tracked || !tracked->heard) return false;
  tracked->adoption->answer();
  for (const std::string& note : tracked->adoption->take_notes()) callbacks_.note(worker, note);
  if (tracked->adoption->changes() == tracked->seen_changes) return false;
  try {
    took_note_of(*tracked);
  } catch (const std::exception& e) { callbacks_.note(worker, e.what()); }
  return true;
}

// Sockets that came are directed, those that went make room.
void Handoff::took_note_of(TrackedWorker& tracked) {
  tracked.seen_changes = tracked.adoption->changes();
  tracked.changed = monotonic_now();
  std::set<std::string> keys;
  for (const AdoptedSocket& s : tracked.adoption->sockets()) {
    if (s.listening && s.steerable() && groups_.join(s.key, s.fd.get(), s.inode)) keys.insert(s.key);
  }
  note_datagrams(tracked);
  if (!keys.empty()) share_with(tracked);
  if (!gets_new(tracked)) return;
  for (const std::string& key : keys) {
    // One that was closed to be bound again would go on being given connections.
    const auto same = std::ranges::count_if(
        tracked.adoption->sockets(), [&](const AdoptedSocket& s) { return s.key == key && s.listening; });
    if (same > 1) forget_closed(tracked);
    direct(key);
  }
  hand_over_queues(tracked, keys);
  drop_orphans();
  tell_what_is_held();
}

// Those in groups_ that nobody here holds any more were closed.
void Handoff::take_leave_of_closed() {
  std::set<ino_t> held;
  for (const auto& [inode, fd] : restored_) held.insert(inode);
  for (const TrackedWorker& c : tracked_) {
    for (const AdoptedSocket& s : c.sockets()) held.insert(s.inode);
  }
  for (const auto& [generation, listeners] : listeners_) {
    for (const auto& l : listeners) held.insert(inode_of(l->fd()));
  }
  if (callbacks_.closes && groups_.has_others(held)) callbacks_.closes();
  groups_.keep_only(held);
  datagrams_.keep_only(held);
}

void Handoff::forget_closed(TrackedWorker& tracked) {
  if (!tracked.adoption || tracked.orphan) return;
  tracked.adoption->forget_closed();
  tracked.seen_changes = tracked.adoption->changes();
  take_leave_of_closed();
}

void Handoff::forget_closed() {
  for (TrackedWorker& c : tracked_) forget_closed(c);
}

void Handoff::forget_closed(WorkerId worker) {
  if (TrackedWorker* tracked = find(worker)) forget_closed(*tracked);
}

void Handoff::switch_to(GenerationId generation, std::optional<GenerationId> standby) {
  probe(generation, {});
  sharing_.reset();
  groups_.forget_shares();
  serving_ = generation;
  standby_ = standby;
  beside_.reset();
  promote_names();
  for (const std::string& key : groups_.keys()) direct(key);
  keep_taken();
  datagrams_.switch_to(generation);
  show_what_serves();
  hide_what_nobody_serves();
  drop_orphans();
  // Where nobody is left who has them, what waits in their queues is handed over now.
  std::vector<GenerationId> others;
  for (const auto& [g, listeners] : listeners_) others.push_back(g);
  for (const GenerationId g : others) drop(g);
  close_restored();
  tell_what_is_held();
}

// A worker may bind these addresses later, or again.
void Handoff::close_restored() {
  if (restored_.empty()) return;
  for (const auto& [inode, fd] : restored_) {
    for (const TrackedWorker& w : tracked_) {
      if (w.adoption) w.adoption->take_back(fd.get());
    }
  }
  restored_.clear();
  take_leave_of_closed();
}

// To what the serving generation has of this address, and what has joined it. Nothing of it: to whom it went
// before.
void Handoff::direct(const std::string& key) {
  const std::vector<ino_t> chosen = chosen_for(key);
  if (chosen.empty()) return;
  try {
    groups_.direct(key, chosen);
  } catch (const std::exception& e) { callbacks_.note({}, fmt::format("{}: {}", key, e.what())); }
}

std::set<ino_t> Handoff::listening_on(const std::string& key, GenerationId generation) const {
  std::set<ino_t> found;
  for (const auto& [by, s] : listening_of([&](const TrackedWorker& w) { return w.serves_in(generation); })) {
    if (s.key == key && s.steerable()) found.insert(s.inode);
  }
  if (const auto passed = listeners_.find(generation); passed != listeners_.end()) {
    for (const auto& l : passed->second) {
      if (l->key() == key) found.insert(inode_of(l->fd()));
    }
  }
  return found;
}

void Handoff::retire(WorkerId worker, const std::optional<std::string>& cgroup, bool queue_for_next_graced) {
  TrackedWorker* tracked = find(worker);
  if (!tracked) return callbacks_.idle(worker);
  tracked->leaves = true;

  std::vector<int> listening;
  std::set<std::string> keys;
  for (const AdoptedSocket& s : tracked->sockets()) {
    if (!s.listening || s.datagrams) continue;
    if (!s.shared()) listening.push_back(s.fd.get());
    if (s.steerable()) keys.insert(s.key);
  }
  for (const auto& l : listeners_[tracked->generation]) {
    listening.push_back(l->fd());
    keys.insert(l->key());
  }
  const bool hears = datagrams_.retire(worker, tracked->generation);
  // Without a socket of its own it goes on getting new connections until it is told.
  if (listening.empty()) {
    if (!hears) callbacks_.idle(worker);
    return;
  }
  // No generation follows: graced stops. What is not directed elsewhere must be kept away.
  if (tracked->generation == serving_ && !beside_) {
    for (const std::string& key : keys) {
      if (!queue_for_next_graced || !park(key)) hide(key);
    }
  }
  retirements_.begin(worker, tracked->pid, listening, cgroup, queues_migrate_);
}

// On a socket that nobody accepts from until the next graced does.
bool Handoff::park(const std::string& key) {
  if (std::ranges::any_of(restored_, [&](const auto& r) { return groups_.has(key, r.first); })) return true;
  try {
    Fd parking = open_ip_socket_again(groups_.any_of(key), ListenSpec{});
    const ino_t inode = inode_of(parking.get());
    groups_.join(key, parking.get(), inode);
    groups_.direct(key, {inode});
    restored_.emplace(inode, std::move(parking));
  } catch (const std::exception& e) {
    callbacks_.note({}, e.what());
    return false;
  }
  tell_what_is_held();
  return true;
}

void Handoff::left_behind(WorkerId worker, const std::vector<pid_t>& tops) {
  if (TrackedWorker* tracked = find(worker)) tracked->leaves = tracked->process_gone = true;
  datagrams_.leaves(worker);
  retirements_.follow(worker, tops);
}

void Handoff::told_to_leave(WorkerId worker) {
  if (TrackedWorker* tracked = find(worker)) tracked->leaves = true;
  datagrams_.told_to_leave(worker);
}

void Handoff::gone(WorkerId worker, Follows who) {
  const auto tracked = std::ranges::find(tracked_, worker, &TrackedWorker::worker);
  if (tracked == tracked_.end()) return;
  const GenerationId generation = tracked->generation;
  tracked->heard = Source();
  retirements_.stop(worker);
  datagrams_.gone(worker);
  let_go_of_datagrams(*tracked);
  let_go_of_what_keeps_out(*tracked);
  const bool kept = who == Follows::replacement || (who == Follows::next_graced && !tracked->leaves);
  if (kept && !tracked->sockets().empty() && generation == serving_) {
    tracked->orphan = true;
    drop_orphans();
    return;
  }
  let_go(tracked);
  const bool last =
      std::ranges::none_of(tracked_, [&](const TrackedWorker& c) { return c.generation == generation; });
  if (last && generation != serving_) listeners_.erase(generation);
  take_leave_of_closed();
  tell_what_is_held();
}

// Where no socket of the serving generation is left, no other gets what comes: those of old generations are
// still among the kernel's choices.
void Handoff::let_go(std::list<TrackedWorker>::iterator tracked) {
  std::list<TrackedWorker> gone;
  gone.splice(gone.end(), tracked_, tracked);
  const TrackedWorker& c = gone.front();
  const auto others_have = [&](auto what, auto AdoptedSocket::*member) {
    return std::ranges::any_of(tracked_, [&](const TrackedWorker& other) {
      return std::ranges::find(other.sockets(), what, member) != other.sockets().end();
    });
  };
  for (const AdoptedSocket& s : c.sockets()) {
    if (!s.listening) continue;
    if (c.generation == serving_ && groups_.has(s.key, s.inode) && others_have(s.key, &AdoptedSocket::key) &&
        !is_served(s.key)) {
      hide(s.key);
    }
    // A process that nobody knows of may have it still.
    if (!s.predeclared && !s.shared() && !s.datagrams && !others_have(s.inode, &AdoptedSocket::inode)) shut(s);
  }
}

void Handoff::shut(const AdoptedSocket& socket) {
  if (!groups_.shut_at_last(socket.inode)) stop_listening(socket.fd.get());
}

// By the serving generation, what has joined it, or by what waits for the next graced.
bool Handoff::is_served(const std::string& key) const {
  return std::ranges::any_of(restored_, [&](const auto& r) { return groups_.has(key, r.first); }) ||
         listens_in(serving_, key) || (beside_ && !chosen_for(key).empty());
}

std::map<ino_t, int> Handoff::adopted_sockets() const {
  std::map<ino_t, int> found;
  for (const auto& [inode, fd] : restored_) found.emplace(inode, fd.get());
  const auto serves = [&](const TrackedWorker& w) { return w.adoption && w.generation == serving_; };
  for (const auto& [by, s] : listening_of(serves)) {
    if (s.steerable()) found.emplace(s.inode, s.fd.get());
  }
  return found;
}

void Handoff::tell_what_is_held() {
  std::set<ino_t> held;
  for (const auto& [inode, fd] : adopted_sockets()) held.insert(inode);
  if (held == told_held_) return;
  told_held_ = std::move(held);
  callbacks_.held();
}

void Handoff::drop(GenerationId generation) {
  if (generation == serving_) return;
  const bool used =
      std::ranges::any_of(tracked_, [&](const TrackedWorker& c) { return c.generation == generation; });
  if (used) return;
  listeners_.erase(generation);
  take_leave_of_closed();
}

Handoff::TrackedWorker* Handoff::find(WorkerId worker) {
  const auto found =
      std::ranges::find_if(tracked_, [&](const TrackedWorker& c) { return c.worker == worker && !c.orphan; });
  return found == tracked_.end() ? nullptr : &*found;
}

const Handoff::TrackedWorker* Handoff::find(WorkerId worker) const {
  return const_cast<Handoff*>(this)->find(worker);
}

}  // namespace graced
