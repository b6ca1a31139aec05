// The sockets that a worker listens on, as they were when it was decided that it gets no new connections: what
// was accepted from them are its clients.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "linux/base/socket_name.h"
#include "linux/sockets/socket_list.h"

namespace graced {

class WatchedListeners {
 public:
  // Borrowed, and may be closed later. Those that are no listening sockets are left out.
  explicit WatchedListeners(const std::vector<int>& sockets);

  // What another image of this process takes over, see kept_connections.h. Borrowed likewise.
  struct Kept;
  Kept kept() const;
  explicit WatchedListeners(const Kept& kept);

  const TcpPlaces& places() const { return places_; }       // of TCP
  bool acknowledge_at_once() const { return quick_acks_; }  // all of TCP do, the first words of a client
  bool any_unix() const;
  bool have_accepted(
      const SocketName& name) const;  // a socket that is bound there was accepted from one of them

  // How many connections wait to be accepted. list: may be asked for unix sockets; nullptr: none is at hand.
  unsigned queued(SocketList* list) const;

  // Whether all of TCP were made in this cgroup. A connection is in the cgroup of its listener, so all of these
  // are inside then, too.
  bool all_made_in(std::uint64_t cgroup, SocketList& list) const;

 private:
  struct Listening {
    int fd;
    ino_t inode;
    SocketName name;
    bool is_unix() const;
  };

  std::vector<Listening> listening_;
  TcpPlaces places_;
  bool quick_acks_ = true;
};

}  // namespace graced
