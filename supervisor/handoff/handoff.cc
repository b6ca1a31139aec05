// What each worker listens on, whom the kernel gives new connections, and who has finished.
#include "handoff/handoff.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <set>

#include "linux/base/duplicate.h"
#include "linux/base/inode.h"
#include "linux/sockets/accept_queue.h"
#include "linux/sockets/group_key.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_socket.h"
#include "linux/steering/bpf_program.h"

namespace graced {

Handoff::Handoff(Loop& loop, Ears ears)
    : loop_(loop), ears_(std::move(ears)), retirements_(loop, {ears_.idle, ears_.note}) {}

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
  Charge& charge = charges_.emplace_back();
  charge.worker = worker;
  charge.generation = generation;
  charge.pid = pid;
  if (!notifications) return;

  // By the worker's own hand or by graced's: whoever binds an address that is there gets that one.
  std::vector<Adoption::Predeclared> predeclared;
  for (const auto& l : listeners_[generation]) predeclared.push_back({l->key(), l->fd()});
  for (const auto& [inode, fd] : restored_) predeclared.push_back({group_key(fd.get()), fd.get()});
  if (!queues_migrate_) {
    for (const Charge& other : charges_) {
      if (!(other.orphan || (other.process_gone && other.adoption)) || other.generation != generation) continue;
      for (const AdoptedSocket& s : other.adoption->sockets()) {
        if (!s.listening || !s.steerable()) continue;
        charge.promised.push_back(duplicate(s.fd.get()));
        predeclared.push_back({s.key, charge.promised.back().get()});
      }
    }
  }
  note_kept_queues(charge);
  charge.changed = monotonic_now();
  charge.adoption = std::make_unique<Adoption>(
      std::move(notifications), wait_killable, generation.value, names_, std::move(predeclared),
      [this, worker](const std::string& key, int fd, const SocketAddress& where) {
        return arrival(worker, key, fd, where);
      });
  charge.heard = loop_.on_fd_or_hangup(charge.adoption->fd(), Turn::notify, [this, worker](bool hung_up) {
    hung_up ? stop_listening_to(worker) : answer(worker);
  });
}

void Handoff::stop_listening_to(WorkerId worker) {
  if (Charge* charge = find(worker)) charge->heard = Source();
}

void Handoff::answer(WorkerId worker) {
  Charge* charge = find(worker);
  if (!charge) return;
  charge->adoption->answer();
  for (const std::string& note : charge->adoption->take_notes()) ears_.note(worker, note);
  if (charge->adoption->changes() == charge->seen_changes) return;
  try {
    took_note_of(*charge);
  } catch (const std::exception& e) { ears_.note(worker, e.what()); }
  ears_.changed(worker);
}

// Sockets that came are directed, those that went make room.
void Handoff::took_note_of(Charge& charge) {
  charge.seen_changes = charge.adoption->changes();
  charge.changed = monotonic_now();
  std::set<std::string> keys;
  for (const AdoptedSocket& s : charge.adoption->sockets()) {
    if (s.listening && s.steerable() && groups_.join(s.key, s.fd.get(), s.inode)) keys.insert(s.key);
  }
  if (charge.generation != serving_ || charge.leaves) return;
  for (const std::string& key : keys) {
    // One that was closed to be bound again would go on being given connections.
    const auto same = std::ranges::count_if(
        charge.adoption->sockets(), [&](const AdoptedSocket& s) { return s.key == key && s.listening; });
    if (same > 1) forget_closed(charge);
    direct(key);
  }
  hand_over_queues(charge, keys);
  drop_orphans();
  tell_what_is_held();
}

// What has come to a worker whose process died, and nobody of those that it left behind has accepted.
void Handoff::hand_over_queues(const Charge& to, const std::set<std::string>& keys) {
  if (!queues_migrate_ || keys.empty()) return;
  for (Charge& c : charges_) {
    if (!c.process_gone || !c.adoption || c.orphan || c.generation != to.generation || &c == &to) continue;
    std::vector<ino_t> handed_over;
    for (const AdoptedSocket& s : c.adoption->sockets()) {
      if (!s.listening || s.predeclared || !keys.contains(s.key)) continue;
      stop_listening(s.fd.get());
      handed_over.push_back(s.inode);
    }
    for (const ino_t inode : handed_over) c.adoption->let_go(inode);
    if (!handed_over.empty()) take_leave_of_closed();
  }
}

// Those in groups_ that nobody here holds any more were closed.
void Handoff::take_leave_of_closed() {
  std::set<ino_t> held;
  for (const auto& [inode, fd] : restored_) held.insert(inode);
  for (const Charge& c : charges_) {
    if (!c.adoption) continue;
    for (const AdoptedSocket& s : c.adoption->sockets()) held.insert(s.inode);
  }
  for (const auto& [generation, listeners] : listeners_) {
    for (const auto& l : listeners) held.insert(inode_of(l->fd()));
  }
  groups_.keep_only(held);
}

void Handoff::forget_closed(Charge& charge) {
  if (!charge.adoption || charge.orphan) return;
  charge.adoption->forget_closed();
  charge.seen_changes = charge.adoption->changes();
  take_leave_of_closed();
}

void Handoff::forget_closed() {
  for (Charge& c : charges_) forget_closed(c);
}

void Handoff::forget_closed(WorkerId worker) {
  if (Charge* charge = find(worker)) forget_closed(*charge);
}

void Handoff::switch_to(GenerationId generation) {
  serving_ = generation;
  for (const std::string& complaint : names_.promote(generation.value)) ears_.note({}, complaint);
  for (const std::string& key : groups_.keys()) direct(key);
  show_what_serves();
  hide_what_nobody_serves();
  drop_orphans();
  // Where nobody is left who has them, what waits in their queues is handed over now.
  std::vector<GenerationId> others;
  for (const auto& [g, listeners] : listeners_) others.push_back(g);
  for (const GenerationId g : others) drop(g);
  if (!restored_.empty()) {
    restored_.clear();
    take_leave_of_closed();
  }
  tell_what_is_held();
}

// To what the serving generation has of this address. Nothing of it: to whom it went before.
void Handoff::direct(const std::string& key) {
  std::set<ino_t> chosen;
  for (const Charge& c : charges_) {
    if (c.generation != serving_ || !c.adoption || c.orphan || c.leaves) continue;
    for (const AdoptedSocket& s : c.adoption->sockets()) {
      if (s.key == key && s.listening && s.steerable()) chosen.insert(s.inode);
    }
  }
  if (const auto passed = listeners_.find(serving_.value_or(GenerationId{})); passed != listeners_.end()) {
    for (const auto& l : passed->second) {
      if (l->key() == key) chosen.insert(inode_of(l->fd()));
    }
  }
  if (chosen.empty()) return;
  try {
    groups_.direct(key, chosen);
  } catch (const std::exception& e) { ears_.note({}, fmt::format("{}: {}", key, e.what())); }
}

void Handoff::retire(WorkerId worker, const std::optional<std::string>& cgroup, bool queue_for_next_graced) {
  Charge* charge = find(worker);
  if (!charge) return ears_.idle(worker);
  charge->leaves = true;

  std::vector<ConnectionWatch::Socket> listening;
  std::set<std::string> keys;
  if (charge->adoption) {
    for (const AdoptedSocket& s : charge->adoption->sockets()) {
      if (!s.listening) continue;
      if (!s.shared()) listening.push_back({s.fd.get()});
      if (s.steerable()) keys.insert(s.key);
    }
  }
  for (const auto& l : listeners_[charge->generation]) {
    listening.push_back({l->fd()});
    keys.insert(l->key());
  }
  // Without a socket of its own it goes on getting new connections until it is told.
  if (listening.empty()) return ears_.idle(worker);
  // No generation follows: graced stops. What is not directed elsewhere must be kept away.
  if (charge->generation == serving_) {
    for (const std::string& key : keys) {
      if (!queue_for_next_graced || !park(key)) hide(key);
    }
  }
  retirements_.begin(worker, charge->pid, listening, cgroup, queues_migrate_);
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
    ears_.note({}, e.what());
    return false;
  }
  tell_what_is_held();
  return true;
}

void Handoff::left_behind(WorkerId worker, const std::vector<pid_t>& tops) {
  if (Charge* charge = find(worker)) charge->leaves = charge->process_gone = true;
  retirements_.follow(worker, tops);
}

void Handoff::told_to_leave(WorkerId worker) {
  if (Charge* charge = find(worker)) charge->leaves = true;
}

void Handoff::gone(WorkerId worker, Follows who) {
  const auto charge = std::ranges::find(charges_, worker, &Charge::worker);
  if (charge == charges_.end()) return;
  const GenerationId generation = charge->generation;
  charge->heard = Source();
  retirements_.stop(worker);
  let_go_of_what_keeps_out(*charge);
  const bool kept = who == Follows::replacement || (who == Follows::next_graced && !charge->leaves);
  if (kept && charge->adoption && generation == serving_) {
    charge->orphan = true;
    drop_orphans();
    return;
  }
  let_go(charge);
  const bool last = std::ranges::none_of(charges_, [&](const Charge& c) { return c.generation == generation; });
  if (last && generation != serving_) listeners_.erase(generation);
  take_leave_of_closed();
  tell_what_is_held();
}

// Where no socket of the serving generation is left, no other gets what comes: those of old generations are
// still among the kernel's choices.
void Handoff::let_go(std::list<Charge>::iterator charge) {
  std::list<Charge> gone;
  gone.splice(gone.end(), charges_, charge);
  const Charge& c = gone.front();
  if (!c.adoption) return;
  const auto others_have = [&](auto what, auto AdoptedSocket::*member) {
    return std::ranges::any_of(charges_, [&](const Charge& other) {
      return other.adoption &&
             std::ranges::find(other.adoption->sockets(), what, member) != other.adoption->sockets().end();
    });
  };
  for (const AdoptedSocket& s : c.adoption->sockets()) {
    if (!s.listening) continue;
    if (c.generation == serving_ && groups_.has(s.key, s.inode) && others_have(s.key, &AdoptedSocket::key) &&
        !is_served(s.key)) {
      hide(s.key);
    }
    // A process that nobody knows of may have it still.
    if (!s.predeclared && !s.shared() && !others_have(s.inode, &AdoptedSocket::inode))
      stop_listening(s.fd.get());
  }
}

// By the serving generation, or by what waits for the next graced.
bool Handoff::is_served(const std::string& key) const {
  const auto passed = listeners_.find(serving_.value_or(GenerationId{}));
  return std::ranges::any_of(restored_, [&](const auto& r) { return groups_.has(key, r.first); }) ||
         (passed != listeners_.end() &&
          std::ranges::any_of(passed->second, [&](const auto& l) { return l->key() == key; })) ||
         std::ranges::any_of(charges_, [&](const Charge& c) {
           return c.generation == serving_ && c.adoption &&
                  std::ranges::any_of(c.adoption->sockets(),
                                      [&](const AdoptedSocket& s) { return s.listening && s.key == key; });
         });
}

// What a worker that is gone listened on stays open until a living one of the serving generation listens
// there: meanwhile connections wait, and then the kernel hands them over.
void Handoff::drop_orphans() {
  std::map<std::string, const AdoptedSocket*> covered;
  for (const Charge& c : charges_) {
    if (c.generation != serving_ || c.orphan || c.leaves || !c.adoption) continue;
    for (const AdoptedSocket& s : c.adoption->sockets()) {
      if (s.listening) covered.emplace(s.key, &s);
    }
  }
  bool dropped = false;
  for (auto c = charges_.begin(); c != charges_.end();) {
    const auto at = c++;
    if (!at->orphan) continue;
    const bool done = std::ranges::all_of(at->adoption->sockets(), [&](const AdoptedSocket& s) {
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

void Handoff::note_kept_queues(Charge& charge) const {
  for (const Charge& c : charges_) {
    if (!c.orphan || c.generation != charge.generation) continue;
    for (const AdoptedSocket& s : c.adoption->sockets()) {
      if (s.listening && s.name) charge.kept_queues[s.inode] = accept_queue(s.fd.get()).value_or(0);
    }
  }
}

// Some servers look whether somebody listens on their unix socket before they bind it, and leave if so
// (php-fpm): what is kept for them until they do would keep them out for good. Such a look is a connection that
// nobody accepts.
void Handoff::let_go_of_what_keeps_out(const Charge& gone) {
  if (gone.ready || !gone.adoption || gone.generation != serving_) return;
  for (Charge& c : charges_) {
    if (!c.orphan || c.generation != gone.generation) continue;
    const std::vector<AdoptedSocket>& bound = gone.adoption->sockets();
    std::vector<ino_t> in_the_way;
    for (const AdoptedSocket& s : c.adoption->sockets()) {
      const auto before = gone.kept_queues.find(s.inode);
      if (before == gone.kept_queues.end() || s.shared()) continue;
      if (std::ranges::find(bound, s.key, &AdoptedSocket::key) != bound.end()) continue;
      if (accept_queue(s.fd.get()).value_or(0) <= before->second) continue;
      ears_.note(
          gone.worker,
          fmt::format(
              "{} was kept for the next worker, and one connected there and left without binding it: it is "
              "let go, with what waits there, for those that look first whether somebody listens",
              s.address));
      in_the_way.push_back(s.inode);
    }
    for (const ino_t inode : in_the_way) c.adoption->let_go(inode);
  }
}

std::map<ino_t, int> Handoff::adopted_sockets() const {
  std::map<ino_t, int> found;
  for (const auto& [inode, fd] : restored_) found.emplace(inode, fd.get());
  for (const Charge& c : charges_) {
    if (c.generation != serving_ || !c.adoption) continue;
    for (const AdoptedSocket& s : c.adoption->sockets()) {
      if (s.listening && s.steerable()) found.emplace(s.inode, s.fd.get());
    }
  }
  return found;
}

void Handoff::tell_what_is_held() {
  std::set<ino_t> held;
  for (const auto& [inode, fd] : adopted_sockets()) held.insert(inode);
  if (held == told_held_) return;
  told_held_ = std::move(held);
  ears_.held();
}

void Handoff::drop(GenerationId generation) {
  if (generation == serving_) return;
  const bool used = std::ranges::any_of(charges_, [&](const Charge& c) { return c.generation == generation; });
  if (used) return;
  listeners_.erase(generation);
  take_leave_of_closed();
}

Handoff::Charge* Handoff::find(WorkerId worker) {
  const auto found =
      std::ranges::find_if(charges_, [&](const Charge& c) { return c.worker == worker && !c.orphan; });
  return found == charges_.end() ? nullptr : &*found;
}

const Handoff::Charge* Handoff::find(WorkerId worker) const {
  return const_cast<Handoff*>(this)->find(worker);
}

}  // namespace graced
