// Descriptors of other processes are taken (pidfd_getfd) to be asked where they are bound: an accepted
// connection has the address of its listener.
#include "linux/proc/served_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <system_error>

#include "linux/base/inode.h"
#include "linux/base/socket_option.h"
#include "linux/proc/listening.h"
#include "linux/proc/open_sockets.h"

namespace graced {

ServedSocket served_socket(int fd) {
  return {inode_of(fd), socket_name(fd)};
}

std::vector<ServedSocket> listening_of(const std::vector<pid_t>& tops) try {
  std::vector<ServedSocket> found;
  SocketTaker taker;
  for (const auto& [inode, place] : sockets_of_trees(tops)) {
    const Fd fd = taker.take(inode, place);
    if (fd && socket_option(fd.get(), SOL_SOCKET, SO_ACCEPTCONN) == 1) found.push_back(served_socket(fd.get()));
  }
  return found;
} catch (const std::system_error&) { return {}; }

bool waits_for_clients(pid_t process, const std::vector<ServedSocket>& sockets) {
  std::vector<ino_t> inodes;
  for (const ServedSocket& s : sockets) inodes.push_back(s.inode);
  return !inodes.empty() && may_wait_on_any(process, inodes);
}

bool may_have_clients(pid_t process, const std::vector<ServedSocket>& sockets) try {
  SocketTaker taker;
  for (const auto& [inode, place] : sockets_of_process(process)) {
    if (std::ranges::find(sockets, inode, &ServedSocket::inode) != sockets.end()) continue;
    const Fd fd = taker.take(inode, place);
    if (!fd || socket_option(fd.get(), SOL_SOCKET, SO_ACCEPTCONN) != 0) continue;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    const SocketName name = socket_name(fd.get());
    const bool came = std::ranges::any_of(sockets, [&](const ServedSocket& s) {
      if (s.name.family == AF_UNIX || name.family == AF_UNIX)
        return s.name.family == name.family && !name.path.empty() && s.name.path == name.path;
      return s.name.family != 0 && name.family != 0 && covers(s.name.endpoint, name.endpoint);
    });
    if (came) return true;
  }
  return false;
} catch (const std::system_error&) { return true; }

}  // namespace graced
