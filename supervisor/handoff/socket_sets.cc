#include "handoff/socket_sets.h"

#include <algorithm>
#include <system_error>

#include "linux/sockets/listen_socket.h"

namespace graced {

bool SocketSets::Set::is_left() const {
  return std::ranges::all_of(told, [](const auto& t) { return t.second; });
}

bool SocketSets::possible() {
  if (tried_) return steering_.has_value();
  tried_ = true;
  try {
    steering_.emplace();
  } catch (const std::system_error&) {}  // `check` says why
  return steering_.has_value();
}

bool SocketSets::switches(const std::shared_ptr<Listener>& listener) {
  return can_be_switched(*listener) && !always_shared_.contains(listener) && possible();
}

void SocketSets::prepare(GenerationId candidate, GenerationId serving) {
  candidate_ = candidate;
  serving_ = serving;
}

void SocketSets::share(GenerationId candidate, GenerationId serving) {
  prepare(candidate, serving);
  if (Set* set = set_of(serving)) set->told.emplace(candidate, false);
}

std::shared_ptr<Listener> SocketSets::another(const std::shared_ptr<Listener>& had, const ListenSpec& spec) {
  if (!candidate_ || !switches(had)) return had;
  give_sets();
  Set* const own = set_of(*candidate_);
  if (!own || own == set_of(serving_) || !steer(had)) return had;
  const Address address = addresses_.at(had.get());
  if (auto again = used_again(*own, address, spec)) return again;
  auto opened = open_again(*had, spec);
  steering_->put(address, own->number, opened->fd());
  add(*own, address, opened);
  return opened;
}

// To the serving generation, where it has none yet, and to the candidate.
void SocketSets::give_sets() {
  if (!set_of(serving_)) {
    Set* set = make_set();
    if (!set) return;
    set->told.emplace(serving_, false);
    steering_->choose(set->number);
  }
  if (set_of(*candidate_)) return;
  const auto free = std::ranges::find_if(sets_, &Set::is_free);
  Set* set = free != sets_.end() ? &*free : make_set();
  if (!set) set = set_of(serving_);
  set->told.emplace(*candidate_, false);
}

// In the place of one that is only kept for what may come late, if there is no other.
SocketSets::Set* SocketSets::make_set() {
  if (sets_.size() == SteeringSets::most) {
    const auto left = std::ranges::find_if(sets_, &Set::is_left);
    if (left == sets_.end()) return nullptr;
    while (!left->sockets.empty()) close(*left, left->sockets.begin()->first);
    sets_.erase(left);
  }
  SteeringSets::Set number = 0;
  while (std::ranges::count(sets_, number, &Set::number) > 0) ++number;
  sets_.push_back({number, {}, {}});
  return &sets_.back();
}

bool SocketSets::steer(const std::shared_ptr<Listener>& had) {
  if (addresses_.contains(had.get())) return true;
  const Address address = ++last_address_;
  try {
    steering_->steer(address, had->fd());
  } catch (const std::system_error&) {
    always_shared_.insert(had);
    return false;
  }
  add(*set_of(serving_), address, had);
  return true;
}

// Its workers may have given it another backlog.
std::shared_ptr<Listener> SocketSets::used_again(Set& set, Address address, const ListenSpec& spec) {
  const auto found = set.sockets.find(address);
  if (found == set.sockets.end()) return nullptr;
  auto listener = found->second;
  try {
    apply_options(*listener, spec.options);
    start_listening(listener->fd(), spec.options, spec.address());
    return listener;
  } catch (const std::system_error&) {}  // a new one may have them
  close(set, address);
  return nullptr;
}

void SocketSets::add(Set& set, Address address, std::shared_ptr<Listener> listener) {
  addresses_.emplace(listener.get(), address);
  set.sockets.insert_or_assign(address, std::move(listener));
}

void SocketSets::switch_to(GenerationId generation) {
  serving_ = generation;
  candidate_.reset();
  if (const Set* set = set_of(generation)) steering_->choose(set->number);
  tidy_up();
}

void SocketSets::told(GenerationId generation) {
  Set* set = set_of(generation);
  if (!set || generation == serving_) return;  // nobody follows: what comes waits, or is refused at the end
  set->told.at(generation) = true;
  if (set->is_left()) watch(*set);
}

void SocketSets::gone(GenerationId generation) {
  if (candidate_ == generation) candidate_.reset();
  Set* set = set_of(generation);
  if (!set) return;
  set->told.erase(generation);
  if (!set->is_free()) return;
  watch(*set);
  tidy_up();
}

void SocketSets::watch(const Set& set) {
  for (const auto& [address, listener] : set.sockets) callbacks_.tell_of_arrivals(*listener, true);
}

// If nobody is there to accept it, the socket is closed, upon which the kernel hands on what came. A watch goes
// on when the set is used again, up to here.
void SocketSets::arrived(const Listener& listener) {
  Set& set = set_of(listener);
  if (set.is_left()) {
    close(set, addresses_.at(&listener));
  } else {
    callbacks_.tell_of_arrivals(listener, false);
  }
}

// Though workers may still have it.
void SocketSets::close(Set& set, Address address) {
  const auto found = set.sockets.find(address);
  const auto listener = std::move(found->second);
  set.sockets.erase(found);
  addresses_.erase(listener.get());
  callbacks_.closes(*listener);
  stop_listening(listener->fd());
  if (std::ranges::none_of(sets_, [&](const Set& s) { return s.sockets.contains(address); }))
    steering_->forget(address);
}

// One free set is enough, and of the addresses that are served.
void SocketSets::tidy_up() {
  const Set* serving = set_of(serving_);
  bool kept = !serving;
  for (auto set = sets_.begin(); set != sets_.end();) {
    if (!set->is_free()) {
      ++set;
      continue;
    }
    std::vector<Address> unused;
    for (const auto& [address, socket] : set->sockets) {
      if (kept || !serving->sockets.contains(address)) unused.push_back(address);
    }
    for (const Address address : unused) close(*set, address);
    set = std::exchange(kept, true) ? sets_.erase(set) : std::next(set);
  }
  std::erase_if(always_shared_, [](const auto& listener) { return listener.expired(); });
}

bool SocketSets::listens_again(const Listener& listener) {
  const auto known = addresses_.find(&listener);
  if (known == addresses_.end()) return true;
  const Set& set = set_of(listener);
  steering_->put(known->second, set.number, listener.fd());
  return !set.is_left();
}

void SocketSets::add_all(std::vector<std::shared_ptr<Listener>>& listeners) const {
  for (const Set& set : sets_) {
    for (const auto& [address, listener] : set.sockets) listeners.push_back(listener);
  }
}

std::vector<int> SocketSets::sockets_of(GenerationId generation) const {
  std::vector<int> found;
  for (const Set& set : sets_) {
    if (!set.told.contains(generation)) continue;
    for (const auto& [address, listener] : set.sockets) found.push_back(listener->fd());
  }
  return found;
}

SocketSets::Set* SocketSets::set_of(GenerationId generation) {
  const auto found = std::ranges::find_if(sets_, [&](const Set& s) { return s.told.contains(generation); });
  return found == sets_.end() ? nullptr : &*found;
}

// One of theirs.
SocketSets::Set& SocketSets::set_of(const Listener& listener) {
  const Address address = addresses_.at(&listener);
  return *std::ranges::find_if(sets_, [&](const Set& s) {
    const auto found = s.sockets.find(address);
    return found != s.sockets.end() && found->second.get() == &listener;
  });
}

}  // namespace graced
