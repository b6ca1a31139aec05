// Which sockets must get no connection although they listen: those of a candidate where the serving generation
// is not, those of an address that no generation serves any more.
//
// Sockets of one address form a group, and there the kernel is told whom to give a connection (steering.h).
// Those of another address are no member, even if the two overlap: without us the kernel would not let a second
// one listen on 127.0.0.1 beside 0.0.0.0, but sockets with SO_REUSEPORT it lets, and then the more specific one
// gets all that comes.
#include <fmt/format.h>

#include <exception>

#include "handoff/handoff.h"
#include "linux/sockets/address_overlap.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

Adoption::Arrival Handoff::arrival(WorkerId worker, const std::string& key, int fd,
                                   const SocketAddress& where) const {
  using Way = Adoption::Arrival::How;
  const TrackedWorker* tracked = find(worker);
  if (!tracked || !serving_) return {Way::open};
  const GenerationId generation = tracked->generation;
  if (generation < *serving_ || tracked->leaves) return {Way::unseen};
  if (generation == *serving_ || is_directed(key, generation)) return {Way::open};

  if (way_to_hide_for_a_while() == Hidden::Way::unseen) return {Way::unseen};
  const std::string address = address_text(where, AddressKind::tcp);
  if (const std::string other = overlapped(fd, where, generation); !other.empty()) {
    return {
        Way::refused,
        fmt::format(
            "{} overlaps {}, which another generation listens on, so it is in use: until its generation serves "
            "it could not be kept from connections (give graced CAP_NET_RAW; or stop it and start "
            "it again)",
            address, other)};
  }
  return {Way::drop_new_connections, dropped_note(address)};
}

// Whether new connections to this address go where they go whatever else listens there.
bool Handoff::is_directed(const std::string& key, GenerationId arrives_in) const {
  bool directed = false;
  each_listening([&](GenerationId of, const std::string& there, int fd) {
    if (!directed && of != arrives_in && there == key) directed = of == serving_ || !is_unseen(fd);
  });
  return directed;
}

// Another generation's address, empty if there is none.
std::string Handoff::overlapped(int fd, const SocketAddress& where, GenerationId arrives_in) const {
  std::string found;
  each_listening([&](GenerationId of, const std::string&, int other) {
    if (found.empty() && of != arrives_in && !is_unseen(other) && overlaps(other, fd, where))
      found = bound_address(other, AddressKind::tcp);
  });
  return found;
}

void Handoff::each_listening(
    const std::function<void(GenerationId of, const std::string& key, int fd)>& listening) const {
  for (const auto& [by, s] : listening_of([](const TrackedWorker&) { return true; })) {
    if (s.steerable()) listening(by.generation, s.key, s.fd.get());
  }
  for (const auto& [generation, listeners] : listeners_) {
    for (const auto& l : listeners) listening(generation, l->key(), l->fd());
  }
}

void Handoff::show_what_serves() {
  for (const TrackedWorker& c : tracked_) {
    if (c.generation != serving_ || !c.adoption) continue;
    try {
      c.adoption->show();
    } catch (const std::exception& e) { callbacks_.note(c.worker, e.what()); }
  }
}

// What only the generation that stands by has is let be: it may serve there again.
void Handoff::hide_what_nobody_serves() {
  for (const std::string& key : groups_.keys()) {
    if (!is_served(key) && !listens_in(standby_, key)) hide(key);
  }
}

// A note where that cannot be had: then they are waited for all the same.
void Handoff::hide(const std::string& key) {
  try {
    groups_.hide(key);
  } catch (const std::exception& e) {
    callbacks_.note({}, fmt::format("{}: new connections cannot be kept from a worker that is to leave: {}",
                                    key, e.what()));
  }
}

}  // namespace graced
