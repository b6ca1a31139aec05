// What is watched of the connections of old workers, as one image of graced hands it to the next.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "linux/base/socket_name.h"
#include "linux/connections/connections.h"
#include "linux/connections/watched_listeners.h"
#include "linux/sockets/accept_queue.h"
#include "linux/sockets/tcp_activity.h"

namespace graced {

struct WatchedListeners::Kept {
  struct Socket {
    int fd = -1;  // borrowed; -1: it was closed since
    ino_t inode = 0;
    SocketName name{};
  };
  std::vector<Socket> sockets{};
  std::set<int> protocols{};
  bool acknowledge_at_once = true;
};

// The next look reads the worker's descriptors anew.
struct ConnectionWatch::Kept {
  std::vector<pid_t> tops{};
  WatchedListeners::Kept listeners{};
  bool tcp_list = false;
  bool unix_list = false;
  std::optional<std::uint64_t> cgroup{};
  Handshakes handshakes{};
  std::map<ino_t, ActivityHistory> histories{};
  std::set<ino_t> own{};
  std::set<ino_t> ended{};
};

}  // namespace graced
