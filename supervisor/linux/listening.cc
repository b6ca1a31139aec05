// /proc/PID/fd tells which descriptor is which socket, fdinfo what an epoll instance watches,
// and syscall where a thread is blocked and on what.
#include "linux/listening.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "linux/inode.h"
#include "linux/proc_file.h"
#include "linux/proc_text.h"
#include "linux/process.h"

namespace graced {

namespace {

using Inodes = std::set<ino_t>;
using Descriptors = std::map<int, ino_t>;  // of the process looked at: those of our sockets

void add_epoll_targets(const std::string& fdinfo, const Inodes& wanted, Inodes& waiting) {
  for (const ino_t inode : parse_epoll_info(contents_of(fdinfo).value_or(""))) {
    if (wanted.contains(inode)) waiting.insert(inode);
  }
}

template <class T>
bool read_memory(pid_t pid, unsigned long address, T* into, std::size_t count) {
  iovec here{into, sizeof(T) * count};
  iovec there{reinterpret_cast<void*>(address), sizeof(T) * count};
  return ::process_vm_readv(pid, &here, 1, &there, 1, 0) == static_cast<ssize_t>(here.iov_len);
}

void add_descriptor(int fd, const Descriptors& ours, Inodes& waiting) {
  if (const auto found = ours.find(fd); found != ours.end()) waiting.insert(found->second);
}

void add_blocked_on(pid_t pid, const std::string& syscall_path, const Descriptors& ours, Inodes& waiting) {
  const auto call = parse_syscall(contents_of(syscall_path).value_or(""));
  if (!call) return;
  const auto& args = call->arguments;

  switch (call->number) {
    case SYS_accept:
    case SYS_accept4:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_read:
      add_descriptor(static_cast<int>(args[0]), ours, waiting);
      break;
#ifdef SYS_poll
    case SYS_poll:
#endif
    case SYS_ppoll: {
      std::vector<pollfd> fds(std::min<unsigned long>(args[1], 4096));
      if (fds.empty() || !read_memory(pid, args[0], fds.data(), fds.size())) break;
      for (const pollfd& p : fds) {
        if ((p.events & POLLIN) != 0) add_descriptor(p.fd, ours, waiting);
      }
      break;
    }
#ifdef SYS_select
    case SYS_select:
#endif
    case SYS_pselect6: {
      fd_set set;
      FD_ZERO(&set);
      const std::size_t highest = std::min<unsigned long>(args[0], FD_SETSIZE);
      const std::size_t words = (highest + 8 * sizeof(long) - 1) / (8 * sizeof(long));
      if (words == 0 || !read_memory(pid, args[1], reinterpret_cast<long*>(&set), words)) break;
      for (const auto& [fd, inode] : ours) {
        if (static_cast<std::size_t>(fd) < highest && FD_ISSET(fd, &set)) waiting.insert(inode);
      }
      break;
    }
    default:
      break;
  }
}

void look_at(pid_t pid, const Inodes& wanted, Inodes& waiting) {
  const std::string base = fmt::format("/proc/{}", pid);
  Descriptors ours;
  for (const std::string& fd : entries_of(base + "/fd")) {
    std::array<char, 64> target{};
    const std::string path = base + "/fd/" + fd;
    const ssize_t n = ::readlink(path.c_str(), target.data(), target.size() - 1);
    if (n <= 0) continue;
    const std::string_view name(target.data(), static_cast<std::size_t>(n));
    if (name == "anon_inode:[eventpoll]") {
      add_epoll_targets(base + "/fdinfo/" + fd, wanted, waiting);
    } else if (name.starts_with("socket:[")) {
      const ino_t inode = std::strtoul(target.data() + 8, nullptr, 10);
      if (wanted.contains(inode)) ours.emplace(std::atoi(fd.c_str()), inode);
    }
  }
  if (ours.empty()) return;
  for (const std::string& task : entries_of(base + "/task")) {
    add_blocked_on(pid, base + "/task/" + task + "/syscall", ours, waiting);
  }
}

}  // namespace

bool waits_on_all(pid_t pid, const std::vector<int>& sockets) {
  Inodes wanted;
  for (const int fd : sockets) {
    if (const ino_t inode = inode_of(fd); inode != 0) wanted.insert(inode);
  }
  Inodes waiting;
  look_at(pid, wanted, waiting);
  if (waiting == wanted) return true;
  for (const pid_t below : descendants_of(pid)) {
    look_at(below, wanted, waiting);
    if (waiting == wanted) return true;
  }
  return false;
}

}  // namespace graced
