// They are asked by our duplicates, whose numbers may have become those of other files since.
#include "linux/connections/watched_listeners.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <system_error>
#include <unordered_set>

#include "linux/base/inode.h"
#include "linux/base/socket_option.h"
#include "linux/sockets/accept_queue.h"
#include "linux/sockets/tcp_activity.h"

namespace graced {
namespace {

constexpr unsigned listens = 1U << 10;  // TCP_LISTEN, as a set of states

unsigned queue_by_poll(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0 ? 1 : 0;
}

}  // namespace

bool WatchedListeners::Listening::is_unix() const {
  return name.family == AF_UNIX;
}

WatchedListeners::WatchedListeners(const std::vector<int>& sockets) {
  for (const int fd : sockets) {
    if (socket_option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1) continue;  // a datagram socket has no connections
    listening_.push_back({fd, inode_of(fd), socket_name(fd)});
    const Listening& l = listening_.back();
    if (l.is_unix()) continue;
    places_.ports.insert(l.name.endpoint.port);
    places_.families.insert(l.name.family);
    places_.protocols.insert(
        {IPPROTO_TCP, socket_option(fd, SOL_SOCKET, SO_PROTOCOL)});  // MPTCP falls back to TCP
    quick_acks_ = quick_acks_ && acknowledges_at_once(fd);
  }
}

bool WatchedListeners::any_unix() const {
  return std::ranges::any_of(listening_, &Listening::is_unix);
}

bool WatchedListeners::have_accepted(const SocketName& name) const {
  return std::ranges::any_of(listening_, [&](const Listening& l) {
    if (l.is_unix() || name.family == AF_UNIX) return l.name.family == name.family && l.name.path == name.path;
    return covers(l.name.endpoint, name.endpoint);
  });
}

unsigned WatchedListeners::queued(SocketList* list) const {
  unsigned waiting = 0;
  for (const Listening& l : listening_) {
    if (inode_of(l.fd) != l.inode) continue;  // closed since, by a worker that leaves
    const auto queue = l.is_unix() && list != nullptr ? accept_queue(l.fd, *list) : accept_queue(l.fd);
    waiting += queue ? *queue : queue_by_poll(l.fd);
  }
  return waiting;
}

bool WatchedListeners::all_made_in(std::uint64_t cgroup, SocketList& list) const {
  std::unordered_set<ino_t> inside;
  try {
    list.each_tcp(places_, {listens, cgroup, false}, [&](const TcpSeen& s) { inside.insert(s.inode); });
  } catch (const std::system_error&) { return false; }  // before Linux 5.9
  return std::ranges::all_of(listening_,
                             [&](const Listening& l) { return l.is_unix() || inside.contains(l.inode); });
}

}  // namespace graced
