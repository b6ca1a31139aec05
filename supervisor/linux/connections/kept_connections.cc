#include "linux/connections/kept_connections.h"

#include "linux/base/inode.h"
#include "linux/connections/connection_state.h"

namespace graced {

WatchedListeners::Kept WatchedListeners::kept() const {
  Kept kept{.protocols = {places_.protocols.begin(), places_.protocols.end()},
            .acknowledge_at_once = quick_acks_};
  for (const Listening& l : listening_)
    kept.sockets.push_back({inode_of(l.fd) == l.inode ? l.fd : -1, l.inode, l.name});
  return kept;
}

WatchedListeners::WatchedListeners(const Kept& kept) : quick_acks_(kept.acknowledge_at_once) {
  for (const Kept::Socket& s : kept.sockets) {
    listening_.push_back({s.fd, s.inode, s.name});
    if (listening_.back().is_unix()) continue;
    places_.ports.insert(s.name.endpoint.port);
    places_.families.insert(s.name.family);
  }
  places_.protocols.insert(kept.protocols.begin(), kept.protocols.end());
}

ConnectionWatch::Kept ConnectionWatch::State::kept() const {
  return {tops,
          listeners.kept(),
          tcp_list,
          unix_list,
          cgroup,
          handshakes,
          {histories.begin(), histories.end()},
          {own.begin(), own.end()},
          {ended.begin(), ended.end()}};
}

ConnectionWatch::State::State(const Kept& kept)
    : tops(kept.tops),
      listeners(kept.listeners),
      tcp_list(list && kept.tcp_list),
      unix_list(list && kept.unix_list),
      cgroup(kept.cgroup),
      handshakes(kept.handshakes),
      histories(kept.histories.begin(), kept.histories.end()),
      own(kept.own.begin(), kept.own.end()),
      ended(kept.ended.begin(), kept.ended.end()) {}

ConnectionWatch::Kept ConnectionWatch::kept() const {
  return state_->kept();
}

ConnectionWatch::ConnectionWatch(const Kept& kept) : state_(std::make_unique<State>(kept)) {}

}  // namespace graced
