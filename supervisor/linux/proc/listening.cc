// /proc/TID/syscall tells what a thread is blocked in, /proc/PID/fd which descriptor is which socket, and
// fdinfo what an epoll instance watches.
#include "linux/proc/listening.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "linux/base/file_id.h"
#include "linux/proc/awaited.h"
#include "linux/proc/descriptors.h"
#include "linux/proc/proc_file.h"
#include "linux/proc/proc_text.h"
#include "linux/proc/process.h"

namespace graced {

namespace {

constexpr int deepest = 4;  // epoll instances in one another

// What of them the epoll instance watches.
void find_watched(pid_t thread, int number, SoughtSockets& sockets, int depth = 0) {
  std::optional<ino_t> nameless;
  for (const EpollTarget& t :
       parse_epoll_info(contents_of(fmt::format("/proc/{}/fdinfo/{}", thread, number)).value_or(""))) {
    if ((t.events & (EPOLLIN | EPOLLRDNORM)) == 0) continue;  // one that is to be told once, and was
    if (sockets.wanted(t.inode)) {
      sockets.found(t.inode);
      continue;
    }
    if (depth == deepest || sockets.all_found()) continue;
    // All files without a name of their own have one inode.
    if (!nameless) nameless = file_id(fmt::format("/proc/{}/fd/{}", thread, number).c_str()).inode;
    if (t.inode == *nameless && open_file(thread, t.fd).kind == OpenFile::Kind::epoll)
      find_watched(thread, t.fd, sockets, depth + 1);
  }
}

// False if we may not look.
bool find_waited_on_by(pid_t thread, SoughtSockets& sockets) {
  const Awaited awaited = awaited_by(thread);
  bool seen = !awaited.hidden;
  for (const int number : awaited.descriptors) {
    const OpenFile file = open_file(thread, number);
    switch (file.kind) {
      case OpenFile::Kind::socket:
        sockets.found(file.inode);
        break;
      case OpenFile::Kind::epoll:
        find_watched(thread, number, sockets);
        break;
      case OpenFile::Kind::hidden:
        seen = false;
        break;
      case OpenFile::Kind::other:
      case OpenFile::Kind::gone:
        break;
    }
  }
  return seen;
}

void find_registered(pid_t pid, SoughtSockets& sockets) {
  Descriptors open(pid);
  for (const int number : open.numbers()) {
    if (open.at(number).kind == OpenFile::Kind::epoll) find_watched(pid, number, sockets);
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
