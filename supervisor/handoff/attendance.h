// Whether one of a worker's processes is seen waiting for connections on its addresses: the worker itself, what
// it started, or what that has left behind.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/id.h"
#include "handoff/handoff.h"
#include "handoff/passed_socket.h"
#include "linux/proc/process.h"

namespace graced {

struct AttendedWorker {
  WorkerId id;
  pid_t pid;
  WorkerMark mark;

  // What it was passed, borrowed from the plan of its generation. What it has adopted is asked of the handoff.
  std::span<const PassedSocket> passed;
};

class Attendance {
 public:
  explicit Attendance(Handoff& handoff) : handoff_(handoff) {}  // borrowed

  struct Seen {
    bool any_address = false;             // passed, or adopted and listened on
    std::vector<std::string> unattended;  // addresses on which nobody is seen waiting; empty: all are waited on
    bool only_datagrams = false;          // those are UDP that it has bound itself: it may only send there
    bool any_of_passed = false;           // somebody waits on one of those at least
    std::optional<pid_t> hidden{};        // who could not be looked into, if some are unattended
    bool all() const { return unattended.empty(); }
  };
  // adopted: what it has adopted counts as well.
  Seen look(const AttendedWorker& worker, bool adopted = true);

  // Whether all its processes sleep.
  bool rests(const AttendedWorker& worker) const;

  // Whether any of its processes has any of the sockets that were passed; true if that cannot be told.
  bool has_passed(const AttendedWorker& worker) const;

 private:
  struct Address {
    ino_t inode;
    const std::string* text;
    bool passed;
    bool shared;  // with the generation before, so that there may be connections to answer already
  };
  std::vector<Address> addresses(const AttendedWorker& worker, bool adopted) const;

  Handoff& handoff_;
};

}  // namespace graced
