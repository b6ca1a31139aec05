// Sockets that whoever started graced hands over as sd_listen_fds(3) describes.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "linux/manager/fd_store.h"
#include "linux/sockets/listener.h"

namespace graced {

// The values of LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; nullopt: not set.
struct ListenVariables {
  std::optional<std::string> pid;
  std::optional<std::string> fds;
  std::optional<std::string> names;
};

// What they announce to the process `self`, without a look at any descriptor.
struct AnnouncedSockets {
  int count = 0;                   // from descriptor 3 on
  std::vector<std::string> names;  // at most `count`; an empty one is no name
};
AnnouncedSockets announced_sockets(const ListenVariables& variables, pid_t self);

// A line for the log where they are announced to another process than `self`; else empty.
std::string announced_to_another(const ListenVariables& variables, pid_t self);

struct Inherited {
  std::string ignored;  // for the log: sockets were announced to somebody else
  std::vector<std::shared_ptr<Listener>> sockets;
  std::vector<StoredDescriptor>
      stored;  // by an earlier graced, see linux/manager/fd_store.h; anything, not just sockets
};

// Takes descriptors 3, 4, … and moves them to other numbers. None if LISTEN_PID is not ours. The name
// is the one in LISTEN_FDNAMES, else ListenSpec's for `fd:N`. Throws std::runtime_error with one line
// ("LISTEN_FDS=3 announces descriptor 5, but it is not open"), and then nothing was moved. So does
// the above.
Inherited inherited_sockets(const ListenVariables& variables);

}  // namespace graced
