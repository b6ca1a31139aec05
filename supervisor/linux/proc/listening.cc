// /proc/TID/syscall tells what a thread is blocked in, /proc/PID/fd which descriptor is which socket, and
// fdinfo what an epoll instance watches.
#include "linux/proc/listening.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "linux/proc/awaited.h"
#include "linux/proc/proc_file.h"
#include "linux/proc/proc_text.h"
#include "linux/proc/process.h"

namespace graced {

namespace {

constexpr int deepest = 4;  // epoll instances in one another

enum class Target { socket, epoll, other, gone, hidden };

struct Link {
  Target target;
  ino_t inode = 0;  // of a socket
};

Link link_at(const std::string& path) {
  std::array<char, 64> text{};
  const ssize_t n = ::readlink(path.c_str(), text.data(), text.size() - 1);
  if (n < 0) return {errno == EACCES || errno == EPERM ? Target::hidden : Target::gone};
  const std::string_view name(text.data(), static_cast<std::size_t>(n));
  if (name == "anon_inode:[eventpoll]") return {Target::epoll};
  if (name.starts_with("socket:[")) return {Target::socket, std::strtoul(text.data() + 8, nullptr, 10)};
  return {Target::other};
}

// All files without a name of their own have one inode.
ino_t inode_at(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 ? s.st_ino : 0;
}

// What of them the epoll instance watches; `task` is /proc/TID.
void find_watched(const std::string& task, int number, SoughtSockets& sockets, int depth = 0) {
  std::optional<ino_t> nameless;
  for (const EpollTarget& t :
       parse_epoll_info(contents_of(fmt::format("{}/fdinfo/{}", task, number)).value_or(""))) {
    if ((t.events & (EPOLLIN | EPOLLRDNORM)) == 0) continue;  // one that is to be told once, and was
    if (sockets.wanted(t.inode)) {
      sockets.found(t.inode);
      continue;
    }
    if (depth == deepest || sockets.all_found()) continue;
    if (!nameless) nameless = inode_at(fmt::format("{}/fd/{}", task, number));
    if (t.inode == *nameless && link_at(fmt::format("{}/fd/{}", task, t.fd)).target == Target::epoll)
      find_watched(task, t.fd, sockets, depth + 1);
  }
}

// False if we may not look.
bool find_waited_on_by(pid_t thread, SoughtSockets& sockets) {
  const Awaited awaited = awaited_by(thread);
  bool seen = !awaited.hidden;
  const std::string task = fmt::format("/proc/{}", thread);
  for (const int number : awaited.descriptors) {
    const Link link = link_at(fmt::format("{}/fd/{}", task, number));
    switch (link.target) {
      case Target::socket:
        sockets.found(link.inode);
        break;
      case Target::epoll:
        find_watched(task, number, sockets);
        break;
      case Target::hidden:
        seen = false;
        break;
      case Target::other:
      case Target::gone:
        break;
    }
  }
  return seen;
}

void find_registered(pid_t pid, SoughtSockets& sockets) {
  const std::string task = fmt::format("/proc/{}", pid);
  for (const std::string& fd : entries_of(task + "/fd")) {
    if (link_at(fmt::format("{}/fd/{}", task, fd)).target == Target::epoll)
      find_watched(task, std::atoi(fd.c_str()), sockets);
  }
}

}  // namespace

SoughtSockets::SoughtSockets(std::vector<ino_t> inodes) {
  std::ranges::sort(inodes);
  inodes.erase(std::unique(inodes.begin(), inodes.end()), inodes.end());
  sockets_.reserve(inodes.size());
  for (const ino_t inode : inodes) sockets_.push_back({inode, false});
  missing_ = sockets_.size();
}

bool SoughtSockets::wanted(ino_t inode) const {
  const auto at = std::ranges::lower_bound(sockets_, inode, {}, &Socket::inode);
  return at != sockets_.end() && at->inode == inode && !at->found;
}

void SoughtSockets::found(ino_t inode) {
  const auto at = std::ranges::lower_bound(sockets_, inode, {}, &Socket::inode);
  if (at == sockets_.end() || at->inode != inode || std::exchange(at->found, true)) return;
  --missing_;
}

std::optional<pid_t> find_waited_on(const std::vector<pid_t>& processes, SoughtSockets& sockets) {
  std::optional<pid_t> hidden;
  for (const pid_t pid : processes) {
    // The first thread, which in most is the only one, tells without a look at all of them.
    bool seen = find_waited_on_by(pid, sockets);
    if (sockets.all_found()) return std::nullopt;
    if (seen) {
      for (const std::string& thread : entries_of(fmt::format("/proc/{}/task", pid))) {
        const pid_t tid = std::atoi(thread.c_str());
        if (tid != pid) seen = find_waited_on_by(tid, sockets) && seen;
        if (sockets.all_found()) return std::nullopt;
      }
    }
    if (seen || rest_of(pid) == Rest::exiting) continue;
    // Where only what it is blocked in is a secret, what it has registered counts.
    find_registered(pid, sockets);
    if (sockets.all_found()) return std::nullopt;
    if (!hidden) hidden = pid;
  }
  return hidden;
}

void find_registered_by_busy(const std::vector<pid_t>& processes, SoughtSockets& sockets) {
  for (const pid_t pid : processes) {
    if (rest_of(pid) == Rest::busy) find_registered(pid, sockets);
    if (sockets.all_found()) return;
  }
}

bool may_wait_on_any(pid_t process, const std::vector<ino_t>& sockets) {
  return std::ranges::any_of(sockets, [&](ino_t inode) {
    SoughtSockets one({inode});
    find_waited_on({process}, one);
    if (!one.all_found()) find_registered(process, one);
    return one.all_found();
  });
}

}  // namespace graced
