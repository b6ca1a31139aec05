// Connections that a worker makes to its own addresses, as dovecot's processes and servers with privilege
// separation do: both ends are its own, so that nobody waits for an answer but itself.
#pragma once

#include <set>
#include <utility>

#include "linux/base/socket_name.h"

namespace graced {

class OwnEnds {
 public:
  // Whether the other end may be on this machine at all: only then is it worth looking for.
  static bool possible(const Endpoint& accepted, const Endpoint& peer);

  // One that the worker has, and is connected to one of its addresses.
  void add(const Endpoint& local, const Endpoint& peer) { ends_.insert({local, peer}); }

  // Is the other end of what was accepted among them?
  bool have(const Endpoint& accepted, const Endpoint& peer) const { return ends_.contains({peer, accepted}); }

 private:
  std::set<std::pair<Endpoint, Endpoint>> ends_;
};

}  // namespace graced
