#include "linux/proc/open_sockets.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "linux/base/sys_error.h"
#include "linux/proc/proc_file.h"
#include "linux/proc/process.h"

namespace graced {
namespace {

constexpr unsigned pidfd_thread = O_EXCL;  // PIDFD_THREAD, Linux 6.9

// False if there is not one descriptor.
bool add_sockets(const std::string& path, pid_t process, pid_t thread, OpenSockets& found) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (!directory) {
    if (errno == ENOENT || errno == ESRCH) return true;
    throw sys_error("read {}", path);
  }
  bool any = false;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    any = true;
    std::array<char, 32> target{};
    const ssize_t length =
        ::readlinkat(::dirfd(directory.get()), entry->d_name, target.data(), target.size() - 1);
    constexpr std::string_view prefix = "socket:[";
    if (length <= 0 || !std::string_view(target.data()).starts_with(prefix)) continue;
    found.try_emplace(std::strtoul(target.data() + prefix.size(), nullptr, 10),
                      SocketPlace{process, thread, std::atoi(entry->d_name)});
  }
  return any;
}

void add_process(pid_t pid, OpenSockets& found) {
  if (add_sockets(fmt::format("/proc/{}/fd", pid), pid, pid, found)) return;
  // A first thread that has ended shows none, while the others still have them.
  for (const std::string& name : entries_of(fmt::format("/proc/{}/task", pid))) {
    const pid_t thread = std::atoi(name.c_str());
    if (thread != pid && add_sockets(fmt::format("/proc/{}/task/{}/fd", pid, thread), pid, thread, found))
      return;
  }
}

}  // namespace

OpenSockets sockets_of_process(pid_t process) {
  OpenSockets found;
  add_process(process, found);
  return found;
}

OpenSockets sockets_of_trees(const std::vector<pid_t>& tops) {
  OpenSockets found;
  for (const pid_t top : tops) {
    add_process(top, found);
    for (const pid_t below : descendants_of(top)) add_process(below, found);
  }
  return found;
}

OpenSockets sockets_of_tree(pid_t top) {
  return sockets_of_trees({top});
}

Fd SocketTaker::take(const SocketPlace& place) {
  if (thread_ != place.thread) {
    thread_ = place.thread;
    pidfd_ = Fd(static_cast<int>(
        ::syscall(SYS_pidfd_open, place.thread, place.thread == place.process ? 0 : pidfd_thread)));
  }
  if (!pidfd_) return {};
  Fd taken(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd_.get(), place.fd, 0)));
  if (!taken) {
    if (errno == EBADF || errno == ESRCH) return {};
    throw sys_error("pidfd_getfd of descriptor {} of process {}", place.fd, place.process);
  }
  return taken;
}

Fd SocketTaker::take(ino_t inode, const SocketPlace& place) {
  Fd taken = take(place);
  if (!taken) return {};
  struct stat s {};
  if (::fstat(taken.get(), &s) < 0 || !S_ISSOCK(s.st_mode) || s.st_ino != inode) return {};
  return taken;
}

}  // namespace graced
