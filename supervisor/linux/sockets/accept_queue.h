// Connections on their way to a worker that gets no new ones any more: half-open handshakes, and what
// waits to be accepted.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <vector>

#include "core/members.h"
#include "linux/sockets/socket_list.h"

namespace graced {

// How many connections wait in the accept queue of a listening socket, TCP or unix. nullopt if the
// kernel does not tell. With a list of sockets at hand one need not be opened for a unix socket.
std::optional<unsigned> accept_queue(int listening_fd);
std::optional<unsigned> tcp_accept_queue(int listening_fd);
std::optional<unsigned> accept_queue(int listening_fd, SocketList& list);

// How many may wait there: what listen(2) was told last, as far as net.core.somaxconn allows. nullopt likewise.
std::optional<unsigned> longest_queue(int listening_fd);

// A handshake does not tell which of the sockets of a port it belongs to. Those begun before the others
// took over are remembered, and looked for.
class Handshakes {
 public:
  // All that are half open on these ports now; throws like the list.
  void remember(SocketList& list, const TcpPlaces& places);

  // How many of them still are. Costs nothing once there are none.
  unsigned left(SocketList& list, const TcpPlaces& places);

 private:
  template <class>
  friend struct Members;

  struct Handshake {
    Endpoint local;
    Endpoint peer;
    friend auto operator<=>(const Handshake&, const Handshake&) = default;
  };
  static std::set<Handshake> half_open(SocketList& list, const TcpPlaces& places);

  std::set<Handshake> begun_before_;
};

}  // namespace graced
