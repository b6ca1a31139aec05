// Which process still has a socket, as /proc tells by inode.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace graced {

struct SocketHolder {
  pid_t thread;  // or process
  int number;    // its descriptor
};

// Looks through all processes below graced, with whatever parent they have now. Those of the sockets that
// nobody has are missing in the result; nullopt if some process could not be looked into, so that nothing
// is known.
std::optional<std::map<ino_t, SocketHolder>> holders_of(const std::set<ino_t>& sockets);
// The same of these processes only.
std::optional<std::map<ino_t, SocketHolder>> holders_among(const std::vector<pid_t>& processes,
                                                           const std::set<ino_t>& sockets);

// Which of the sockets each process of the machine has, whoever started it. Those that could not be looked into
// are missing.
std::map<pid_t, std::set<ino_t>> all_holders_of(const std::set<ino_t>& sockets);

// Whether that descriptor of that thread still is that socket.
bool holds(const SocketHolder& holder, ino_t socket);

}  // namespace graced
