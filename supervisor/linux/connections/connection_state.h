// What is known of a worker's connections between two looks.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "linux/base/fd.h"
#include "linux/base/socket_name.h"
#include "linux/connections/connections.h"
#include "linux/connections/watched_listeners.h"
#include "linux/proc/open_sockets.h"
#include "linux/proc/own_ends.h"
#include "linux/sockets/accept_queue.h"
#include "linux/sockets/socket_list.h"
#include "linux/sockets/tcp_activity.h"

namespace graced {

std::optional<SocketList> socket_list_if_any();

struct ConnectionWatch::State {
  struct Quiet {
    ino_t inode;
    TcpActivity activity;
  };
  struct Accepted {
    ino_t inode;
    Endpoint local;
    Endpoint peer;
    TcpActivity activity;
  };

  // How connections are found to be the worker's.
  enum class By {
    descriptor,  // by asking at each one
    inode,       // by the kernel's list, of those that were among the descriptors when these were last read
    cgroup,      // by the kernel's list
  };

  State(pid_t top, const std::vector<int>& sockets, const std::optional<std::string>& cgroup_directory,
        bool handshakes_move);
  explicit State(const Kept& kept);
  Kept kept() const;

  Connections look();
  unsigned close_idle(Duration drain_idle);
  unsigned close_all();
  Fd taken(ino_t inode, SocketTaker& taker, bool& descriptors_are_new);

  Connections on_the_way();
  By best_way() const;
  By read_descriptors_for(By way);
  void count(By way, Connections& c);
  void count_tcp_from_list(By way, Connections& c);
  void count_unix_from_list(Connections& c);
  void count_by_asking(Connections& c, bool tcp, bool unix_too);
  void add(Connections& c, ino_t inode, const TcpActivity& seen);
  void add_clients(Connections& c, const std::vector<Accepted>& all, const OwnEnds& ends);
  bool is_known(ino_t inode) const { return histories.contains(inode) || own.contains(inode); }
  OwnEnds own_ends_from_list(const std::optional<std::uint64_t>& within);
  void add_unix(Connections& c, ino_t inode);
  void read_descriptors() { open = sockets_of_trees(tops); }

  std::vector<pid_t> tops;
  WatchedListeners listeners;
  std::optional<SocketList> list = socket_list_if_any();
  bool tcp_list = list.has_value();  // does the kernel list them for us?
  bool unix_list = list.has_value();
  std::optional<std::uint64_t> cgroup;
  Handshakes handshakes;

  OpenSockets open;                   // as last read
  bool more_may_come = true;          // what was on its way at the last look may have become a descriptor
  bool many = false;                  // there were at the last look
  bool forbidden = false;             // to read or to take descriptors
  std::vector<Quiet> quiet;           // at the last look
  std::unordered_set<ino_t> counted;  // at the last look
  Instant looked_at;
  std::unordered_map<ino_t, ActivityHistory> histories;  // of those known to be clients'
  std::unordered_set<ino_t> own;                         // accepted, and connected by the worker itself
  bool more_to_close = false;
  std::unordered_set<ino_t> ended;  // by close_idle(), and perhaps not yet by the worker
  unsigned looks = 0;
  Duration cost = Duration::zero();  // of the last look
};

}  // namespace graced
