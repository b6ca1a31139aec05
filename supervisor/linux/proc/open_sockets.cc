#include "linux/proc/open_sockets.h"

#include <sys/stat.h>

#include <cerrno>

#include "linux/base/pidfd.h"
#include "linux/base/sys_error.h"
#include "linux/proc/descriptors.h"
#include "linux/proc/process.h"

namespace graced {
namespace {

void add_process(pid_t pid, OpenSockets& found) {
  Descriptors open = Descriptors::of_process(pid);
  if (open.failed() != 0 && !open.gone()) throw sys_error_of(open.failed(), "read /proc/{}/fd", open.thread());
  for (const int number : open.numbers()) {
    const OpenFile file = open.at(number);
    if (file.kind == OpenFile::Kind::socket)
      found.try_emplace(file.inode, SocketPlace{pid, open.thread(), number});
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
    pidfd_ = open_pidfd_of_thread(place.thread);
  }
  if (!pidfd_) return {};
  Fd taken = copy_descriptor(pidfd_, place.fd);
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
