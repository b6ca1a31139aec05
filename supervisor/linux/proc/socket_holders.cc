#include "linux/proc/socket_holders.h"

#include <unistd.h>

#include <limits>

#include "core/number.h"
#include "linux/proc/descriptors.h"
#include "linux/proc/proc_file.h"
#include "linux/proc/process.h"

namespace graced {

namespace {

// False if we may not.
bool look_into(pid_t pid, const std::set<ino_t>& sockets, std::map<ino_t, SocketHolder>& found) {
  Descriptors open = Descriptors::of_process(pid);
  for (const int number : open.numbers()) {
    const OpenFile file = open.at(number);
    if (file.kind == OpenFile::Kind::hidden) return false;
    if (file.kind == OpenFile::Kind::socket && sockets.contains(file.inode))
      found.try_emplace(file.inode, SocketHolder{open.thread(), number});
  }
  return !open.hidden();
}

}  // namespace

std::optional<std::map<ino_t, SocketHolder>> holders_of(const std::set<ino_t>& sockets) {
  return holders_among(descendants_of(::getpid()), sockets);
}

std::optional<std::map<ino_t, SocketHolder>> holders_among(const std::vector<pid_t>& processes,
                                                           const std::set<ino_t>& sockets) {
  std::map<ino_t, SocketHolder> found;
  bool all_seen = true;
  for (const pid_t pid : processes) {
    if (found.size() == sockets.size()) break;
    all_seen = look_into(pid, sockets, found) && all_seen;
  }
  if (!all_seen && found.size() < sockets.size()) return std::nullopt;
  return found;
}

std::map<pid_t, std::set<ino_t>> all_holders_of(const std::set<ino_t>& sockets) {
  std::map<pid_t, std::set<ino_t>> found;
  for (const std::string& entry : entries_of("/proc")) {
    const auto pid = parse_number<pid_t>(entry, 1, std::numeric_limits<pid_t>::max());
    if (!pid) continue;
    Descriptors open = Descriptors::of_process(*pid);
    for (const int number : open.numbers()) {
      const OpenFile file = open.at(number);
      if (file.kind == OpenFile::Kind::socket && sockets.contains(file.inode)) found[*pid].insert(file.inode);
    }
  }
  return found;
}

bool holds(const SocketHolder& holder, ino_t socket) {
  const OpenFile file = open_file(holder.thread, holder.number);
  return file.kind == OpenFile::Kind::socket && file.inode == socket;
}

}  // namespace graced
