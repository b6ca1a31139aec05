// As this is done at every reload, it costs what it must: a name in /proc/PID/fd takes the kernel some µs, and
// a descriptor that can be taken without having been looked up there takes one.
#include "linux/connections/first_words.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <system_error>

#include "linux/base/inode.h"
#include "linux/proc/descriptors.h"
#include "linux/proc/open_sockets.h"
#include "linux/proc/process.h"
#include "linux/sockets/accept_queue.h"

namespace graced {

namespace {

constexpr unsigned few = 500;     // descriptors that a process may have, to be looked through
constexpr int highest = 4 * few;  // number that one of those few may have

constexpr unsigned established = 1;  // TCP_ESTABLISHED; <netinet/tcp.h>, which has it, has another tcp_info

// Of something that may be no connection at all: whether there is nothing to wait for. What has come and was
// not read may not have been noticed yet.
bool nothing_to_hear(int fd, ArrivalPlaces& places, Duration patience) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_state != established) return true;
  // Where nothing was said this is the time of the handshake, and else of the last words.
  if (std::chrono::milliseconds(info.tcpi_last_data_recv) >= patience) return true;
  int unread = 0;
  if (info.tcpi_bytes_sent > 0) return true;  // it has spoken itself
  if (info.tcpi_bytes_received > 0 && ::ioctl(fd, SIOCINQ, &unread) == 0 &&
      static_cast<std::uint64_t>(unread) < info.tcpi_bytes_received)
    return true;
  return !places.has(socket_name(fd));
}

}  // namespace

ArrivalPlaces::ArrivalPlaces(std::vector<int> borrowed, std::vector<Fd> owned, int passed)
    : sockets_(std::move(borrowed)), owned_(std::move(owned)), passed_(passed) {
  for (const Fd& fd : owned_) sockets_.push_back(fd.get());
}

bool ArrivalPlaces::anybody_queued() const {
  return std::ranges::any_of(sockets_, [](int fd) { return tcp_accept_queue(fd).value_or(0) > 0; });
}

bool ArrivalPlaces::has(const SocketName& accepted) {
  if (names_.empty()) {
    for (const int fd : sockets_) names_.push_back(socket_name(fd));
  }
  return std::ranges::any_of(names_,
                             [&](const SocketName& n) { return covers(n.endpoint, accepted.endpoint); });
}

struct FirstWords::Looking {
  ArrivalPlaces& places;
  Duration patience;
};

bool FirstWords::heard(ArrivalPlaces& places, Duration patience) {
  const Looking looking{places, patience};
  try {
    if (!heard_by(worker_, looking)) return false;
    const std::vector<pid_t> below = descendants_of(worker_);
    return std::ranges::all_of(below, [&](pid_t process) { return heard_by(process, looking); });
  } catch (const std::system_error&) { return false; }
}

bool FirstWords::heard_by(pid_t process, const Looking& looking) {
  const Descriptors open(process);
  const auto count = open.count();
  if (!count) return heard_by_all_of_list(process, looking);
  if (*count > few) return false;

  SocketTaker taker;
  unsigned long seen = 0;
  for (int fd = 0; seen < *count; ++fd) {
    if (fd > highest) return heard_by_all_of_list(process, looking);
    bool any = false;
    Fd socket;
    if (looking.places.passed_as(fd)) {
      socket = taker.take({process, process, fd});
      any = static_cast<bool>(socket);
    } else {
      const OpenFile file = open.at(fd);
      any = file.kind != OpenFile::Kind::gone && file.kind != OpenFile::Kind::hidden;
      if (file.kind == OpenFile::Kind::socket && !known_.contains(file.inode))
        socket = taker.take(file.inode, {process, process, fd});
    }
    seen += any;
    if (!socket) continue;
    if (!nothing_to_hear(socket.get(), looking.places, looking.patience)) return false;
    if (!looking.places.passed_as(fd)) known_.insert(inode_of(socket.get()));
  }
  return true;
}

bool FirstWords::heard_by_all_of_list(pid_t top, const Looking& looking) {
  const OpenSockets open = sockets_of_tree(top);
  if (open.size() > few) return false;
  SocketTaker taker;
  return std::ranges::all_of(open, [&](const auto& o) {
    const Fd socket = known_.contains(o.first) ? Fd() : taker.take(o.first, o.second);
    return !socket || nothing_to_hear(socket.get(), looking.places, looking.patience);
  });
}

}  // namespace graced
