// A candidate is looked at where the serving generation has all other connections: what a probe connects goes
// to the candidate's own sockets.
#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "handoff/handoff.h"
#include "linux/base/path_parts.h"
#include "linux/base/socket_name.h"
#include "linux/sockets/hiding.h"
#include "linux/sockets/listen_socket.h"
#include "linux/steering/bpf_program.h"

namespace graced {

void Handoff::probe(GenerationId generation, std::span<const std::uint16_t> first_ports) {
  if (!serving_) return;
  try {
    // Who serves is reached anyway, but by what is shared out.
    if (generation == *serving_) return groups_.spare(first_ports);
    let_in(generation, first_ports);
    if (first_ports.empty()) return groups_.probe_no_more();
    for (const std::string& key : groups_.keys())
      groups_.probe(key, first_ports, listening_on(key, generation));
  } catch (const std::exception& e) {
    callbacks_.note({}, fmt::format("a probe cannot be directed: {}", e.what()));
  }
}

// To addresses that are new with the candidate, and hidden. None: they are hidden again.
void Handoff::let_in(GenerationId candidate, std::span<const std::uint16_t> first_ports) {
  const auto let_in = [&](int fd, const std::string& key, const std::optional<Hidden>& hidden) {
    if (!hidden || is_served(key)) return;
    if (first_ports.empty()) {
      graced::hide(fd, hidden->way);
      detach_filter(fd);
    } else {
      attach_probe_filter(fd, first_ports);
      graced::show(fd, *hidden);
    }
  };
  for (const auto& [by, s] : listening_of([&](const TrackedWorker& w) { return w.serves_in(candidate); })) {
    if (s.steerable()) let_in(s.fd.get(), s.key, s.hidden);
  }
  if (const auto passed = listeners_.find(candidate); passed != listeners_.end()) {
    for (const auto& l : passed->second) let_in(l->fd(), l->key(), l->hidden());
  }
}

std::string Handoff::keeps_out_probe(GenerationId candidate, std::uint16_t port) const {
  if (!serving_ || candidate == *serving_) return "";
  std::string why;
  for (const std::string& key : groups_.keys()) {
    const int fd = groups_.any_of(key);
    if (socket_name(fd).endpoint.port != port) continue;
    const bool own = !listening_on(key, candidate).empty();
    if (is_served(key) && !own) {
      return fmt::format("{} is listened on by {}, and not by it", bound_address(fd, AddressKind::tcp),
                         serving_text());
    }
    // Whoever may not show it again may not filter what comes either.
    if (!is_served(key) && own && way_to_hide_for_a_while() == Hidden::Way::drop_new_connections)
      why = fmt::format("{} is new, and hidden from everybody until its generation serves",
                        bound_address(fd, AddressKind::tcp));
  }
  return why;
}

std::map<std::string, std::string> Handoff::unix_paths(GenerationId generation) const {
  std::map<std::string, std::string> found;
  for (const TrackedWorker& c : tracked_) {
    if (c.generation != generation || !c.adoption || c.orphan) continue;
    for (const AdoptedSocket& s : c.adoption->sockets()) {
      if (s.listening && s.name && !s.name->file.empty())
        found.emplace(s.name->text, path_in(s.name->directory, names_.file_now(*s.name)));
    }
  }
  return found;
}

}  // namespace graced
