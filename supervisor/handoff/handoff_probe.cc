// A candidate is looked at where the serving generation has all other connections: what a probe connects goes
// to the candidate's own sockets.
#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "handoff/handoff.h"
#include "linux/base/path_parts.h"
#include "linux/base/socket_name.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

void Handoff::probe(GenerationId candidate, std::span<const std::uint16_t> first_ports) {
  if (!serving_ || candidate == *serving_) return;
  try {
    if (first_ports.empty()) return groups_.probe_no_more();
    for (const std::string& key : groups_.keys()) groups_.probe(key, first_ports, listening_on(key, candidate));
  } catch (const std::exception& e) {
    callbacks_.note({}, fmt::format("a probe cannot be directed: {}", e.what()));
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
      return fmt::format("{} is listened on by generation {}, and not by it",
                         bound_address(fd, AddressKind::tcp), serving_->value);
    }
    if (!is_served(key) && own)
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
