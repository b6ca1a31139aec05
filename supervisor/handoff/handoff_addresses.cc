// What is asked of adopted addresses: which a worker or a generation has, and which it still lacks.
#include <fmt/format.h>

#include <algorithm>

#include "handoff/handoff.h"
#include "linux/sockets/multicast.h"

namespace graced {

std::string Handoff::waits_for(WorkerId worker) {
  TrackedWorker* tracked = find(worker);
  if (!tracked || !tracked->adoption) return "";
  const auto not_listened_on = [&] {
    return std::ranges::find(tracked->adoption->sockets(), false, &AdoptedSocket::listening);
  };
  // It may have been bound to connect, or closed since.
  if (not_listened_on() != tracked->adoption->sockets().end()) forget_closed(*tracked);
  if (const auto s = not_listened_on(); s != tracked->adoption->sockets().end())
    return fmt::format("{} is bound and not listened on", s->address);
  return "";
}

std::string Handoff::missing(WorkerId worker) const {
  const TrackedWorker* tracked = find(worker);
  if (!tracked || !tracked->adoption || !serving_ || *serving_ == tracked->generation) return "";
  const std::string address = first_missing(tracked->generation);
  if (address.empty()) return "";
  return fmt::format("nothing listens on {}, which {} serves", address, serving_text());
}

bool Handoff::has_new_address(WorkerId worker) const {
  const TrackedWorker* tracked = find(worker);
  if (!tracked || !serving_) return false;
  const auto served = listening_in(*serving_);
  return std::ranges::any_of(listening_in(tracked->generation),
                             [&](const auto& has) { return !served.contains(has.first); });
}

Instant Handoff::last_change(WorkerId worker) const {
  const TrackedWorker* tracked = find(worker);
  return tracked ? tracked->changed : Instant{};
}

const std::vector<AdoptedSocket>& Handoff::sockets_of(WorkerId worker) const {
  static const std::vector<AdoptedSocket> none;
  const TrackedWorker* tracked = find(worker);
  return tracked && tracked->adoption ? tracked->adoption->sockets() : none;
}

bool Handoff::listens(WorkerId worker) const {
  const TrackedWorker* tracked = find(worker);
  return tracked && tracked->adoption &&
         std::ranges::any_of(tracked->adoption->sockets(), &AdoptedSocket::listening);
}

std::vector<int> Handoff::listening_sockets(WorkerId worker) const {
  std::vector<int> found;
  const TrackedWorker* tracked = find(worker);
  if (!tracked || !tracked->adoption) return found;
  for (const AdoptedSocket& s : tracked->adoption->sockets()) {
    if (s.listening && s.steerable()) found.push_back(s.fd.get());
  }
  return found;
}

std::vector<int> Handoff::opened_sockets(GenerationId generation) const {
  std::vector<int> found;
  if (const auto own = listeners_.find(generation); own != listeners_.end()) {
    for (const auto& l : own->second) found.push_back(l->fd());
  }
  return found;
}

bool Handoff::bound_anything(WorkerId worker) const {
  const TrackedWorker* tracked = find(worker);
  return tracked && tracked->adoption &&
         (!tracked->adoption->sockets().empty() || !tracked->adoption->passed_through().empty());
}

// Which address of the serving generation this one has not, empty if it has all. Some servers make a unix
// socket for themselves under a name that nobody else can know: one for one, what the next generation has made
// stands for it.
std::string Handoff::first_missing(GenerationId generation, bool with_datagrams) const {
  const std::map<std::string, const AdoptedSocket*> served = listening_in(*serving_);
  std::map<std::string, const AdoptedSocket*> has = listening_in(generation);
  const bool begins = begins_in_batches(generation);
  for (const auto& entry : served) {
    if (has.erase(entry.first) != 0) continue;
    if (begins && !all_listen_there(*serving_, entry.first)) continue;
    const AdoptedSocket& socket = *entry.second;
    if (socket.datagrams && !with_datagrams) continue;
    const auto own = std::ranges::find_if(
        has, [&](const auto& h) { return !served.contains(h.first) && made_anew(socket, *h.second); });
    if (own == has.end()) return socket.address;
    has.erase(own);
  }
  return "";
}

std::map<std::string, const AdoptedSocket*> Handoff::listening_in(GenerationId generation) const {
  std::map<std::string, const AdoptedSocket*> found;
  for (const auto& [by, s] : listening_of([&](const TrackedWorker& w) { return w.generation == generation; }))
    found.emplace(s.key, &s);
  return found;
}

std::vector<Handoff::Address> Handoff::adopted_addresses(GenerationId generation) const {
  std::vector<Address> found;
  std::set<std::string> known;
  const auto add = [&](const std::string& key, Address address) {
    if (known.insert(key).second) found.push_back(std::move(address));
  };
  for (const TrackedWorker& c : tracked_) {
    if (c.generation != generation || !c.adoption) continue;
    for (const AdoptedSocket& s : c.adoption->sockets()) {
      // An abstract name cannot be had twice, whoever has it just now.
      const bool shared = s.shared() || s.address.starts_with("unix @");
      if (s.listening && !is_of_listen(generation, s))
        add(s.key, {s.address, shared ? How::shared : how_directed(s)});
    }
    for (const std::string& address : c.adoption->passed_through()) add(address, {address, How::not_at_all});
  }
  return found;
}

Handoff::How Handoff::how_directed(const AdoptedSocket& socket) const {
  if (!socket.datagrams) return How::switched;
  if (datagrams_.is_left_alone(socket.key)) return How::own_program;
  return hears_multicast(socket.fd.get()) ? How::multicast : How::switched;
}

bool Handoff::is_of_listen(GenerationId generation, const AdoptedSocket& socket) const {
  if (!socket.predeclared) return false;
  const auto is_it = [&](const auto& l) { return l->inode() == socket.inode; };
  const auto own = listeners_.find(generation);
  return (own != listeners_.end() && std::ranges::any_of(own->second, is_it)) ||
         std::ranges::any_of(datagrams_.passed(generation), is_it);
}

bool Handoff::adopted(WorkerId worker) const {
  const TrackedWorker* tracked = find(worker);
  return tracked && tracked->adoption;
}

std::vector<int> Handoff::adopted_listeners(WorkerId worker) const {
  std::vector<int> found;
  const TrackedWorker* tracked = find(worker);
  if (!tracked || !tracked->adoption) return found;
  for (const AdoptedSocket& s : tracked->adoption->sockets()) {
    if (s.listening) found.push_back(s.fd.get());
  }
  return found;
}

}  // namespace graced
