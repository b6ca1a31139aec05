// proc(5): /proc/PID/fd.
#include "linux/proc/socket_holders.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "linux/proc/proc_file.h"
#include "linux/proc/process.h"

namespace graced {

namespace {

// 0 for what is no socket; nullopt with errno.
std::optional<ino_t> socket_at(const std::string& path) {
  std::array<char, 64> target{};
  const ssize_t n = ::readlink(path.c_str(), target.data(), target.size() - 1);
  if (n < 0) return std::nullopt;
  return std::string_view(target.data()).starts_with("socket:[") ? std::strtoul(target.data() + 8, nullptr, 10)
                                                                 : 0;
}

bool refused(int code) {
  return code == EACCES || code == EPERM;
}

enum class Seen { something, nothing, refused };

Seen look_at(const std::string& base, const std::set<ino_t>& sockets, std::map<ino_t, SocketHolder>& found,
             pid_t id) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(base.c_str()), ::closedir);
  if (!directory) return refused(errno) ? Seen::refused : Seen::nothing;
  Seen seen = Seen::nothing;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    seen = Seen::something;
    const auto socket = socket_at(base + "/" + entry->d_name);
    if (!socket && refused(errno)) return Seen::refused;
    if (socket && sockets.contains(*socket))
      found.try_emplace(*socket, SocketHolder{id, std::atoi(entry->d_name)});
  }
  return seen;
}

// False if we may not. A main thread that has ended has no descriptors, the other threads still do.
bool look_into(pid_t pid, const std::set<ino_t>& sockets, std::map<ino_t, SocketHolder>& found) {
  Seen seen = look_at(fmt::format("/proc/{}/fd", pid), sockets, found, pid);
  if (seen != Seen::nothing) return seen != Seen::refused;
  for (const std::string& thread : entries_of(fmt::format("/proc/{}/task", pid))) {
    seen = look_at(fmt::format("/proc/{}/fd", thread), sockets, found, std::atoi(thread.c_str()));
    if (seen != Seen::nothing) break;
  }
  return seen != Seen::refused;
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

bool holds(const SocketHolder& holder, ino_t socket) {
  return socket_at(fmt::format("/proc/{}/fd/{}", holder.thread, holder.number)) == socket;
}

}  // namespace graced
