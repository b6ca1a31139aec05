// The sockets that came with the process, as LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES of sd_listen_fds(3)
// announce them.
#pragma once

#include <string>

#include "graced/child.hpp"

namespace graced::child {

struct Passed {
  int fd;
  std::string name;
  Kind kind;
  bool taken = false;
};

// Sets CLOEXEC. Throws std::system_error, see take_inherited().
std::vector<Passed> read_passed();

// Whether somebody gave it this name: systemd calls a socket after its unit, or "unknown" or "stored", graced
// calls it after its port, its path or its descriptor.
bool is_named(const Passed& passed);

// What the C form asks, for which the C++ form has a Listener. The name of a socket that was passed, valid to
// the end of the process; nullptr: it was not. And the first one of this kind, whatever its name.
const std::string* name_of_passed(int fd);
std::optional<Listener> take_next_inherited(Kind kind);

}  // namespace graced::child
