// One address of a running server, made shareable: the server goes on getting all new connections, while
// workers of graced can listen there beside it.
//
// The kernel makes a group of sockets when a second one listens. That one is ours, for a moment: what comes to
// it goes on to the server when it is closed, or, where connections cannot be moved (before Linux 5.14, and
// without CAP_BPF), is dropped, so that clients ask again after a second.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "linux/base/fd.h"
#include "linux/steering/steering.h"
#include "linux/steering/steering_groups.h"
#include "linux/takeover/running_server.h"

namespace graced {

class Parked {
 public:
  // All sockets of the server with one key. They join the group of that key in `groups`, in which nobody else
  // is yet, and new connections are directed to them. From then on they are there as a worker's sockets are.
  // Throws std::system_error naming the step, and then all is as before, also in `groups`, which outlives this.
  Parked(const std::vector<const RunningSocket*>& sockets, SteeringGroups& groups,
         const SteeringProbe& steering);
  Parked(Parked&&) noexcept = default;
  Parked& operator=(Parked&&) = delete;
  ~Parked();  // gives back, unless kept

  const std::string& key() const { return key_; }
  std::vector<ino_t> inodes() const;

  // As it was: no program, SO_REUSEPORT and owner as they were found, and `groups` without them. Whatever else
  // listens on the address is to be closed before, or gets connections. Returns what could not be restored, one
  // line, or nothing.
  std::string give_back() noexcept;

  // The server has been taken: nothing is given back any more.
  void keep() { sockets_.clear(); }

 private:
  struct Socket {
    Fd fd;
    ino_t inode;
    uid_t owner;
    bool had_reuseport;
    bool is_made_own = false;
  };

  void park(const SteeringProbe& steering);
  bool direct_group();

  std::string key_;
  SteeringGroups* groups_;
  std::vector<Socket> sockets_;  // empty: kept, or given back
};

// All addresses of a server.
std::vector<Parked> park(const RunningServer& server, SteeringGroups& groups, const SteeringProbe& steering);

}  // namespace graced
