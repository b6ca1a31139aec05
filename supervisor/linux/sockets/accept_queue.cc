#include "linux/sockets/accept_queue.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <system_error>

#include "linux/base/inode.h"
#include "linux/base/socket_option.h"

namespace graced {
namespace {

constexpr unsigned syn_received = 1U << 3;  // TCP_SYN_RECV

bool is_unix(int fd) {
  return socket_option(fd, SOL_SOCKET, SO_DOMAIN) == AF_UNIX;
}

// Of a listening socket two fields of it mean something else.
std::optional<AcceptQueue> tcp_queue(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return std::nullopt;
  return AcceptQueue{info.tcpi_unacked, info.tcpi_sacked};
}

std::optional<AcceptQueue> queue_of(int fd, SocketList& list) {
  if (!is_unix(fd)) return tcp_queue(fd);
  try {
    return list.unix_queue(inode_of(fd));
  } catch (const std::system_error&) { return std::nullopt; }
}

std::optional<AcceptQueue> queue_of(int fd) {
  if (!is_unix(fd)) return tcp_queue(fd);
  try {
    SocketList list;
    return queue_of(fd, list);
  } catch (const std::system_error&) { return std::nullopt; }
}

}  // namespace

std::optional<unsigned> tcp_accept_queue(int listening_fd) {
  const auto queue = tcp_queue(listening_fd);
  return queue ? std::optional(queue->waiting) : std::nullopt;
}

std::optional<unsigned> accept_queue(int listening_fd, SocketList& list) {
  const auto queue = queue_of(listening_fd, list);
  return queue ? std::optional(queue->waiting) : std::nullopt;
}

std::optional<unsigned> accept_queue(int listening_fd) {
  const auto queue = queue_of(listening_fd);
  return queue ? std::optional(queue->waiting) : std::nullopt;
}

std::optional<unsigned> longest_queue(int listening_fd) {
  const auto queue = queue_of(listening_fd);
  return queue ? std::optional(queue->longest) : std::nullopt;
}

std::set<Handshakes::Handshake> Handshakes::half_open(SocketList& list, const TcpPlaces& places) {
  std::set<Handshake> found;
  list.each_tcp(places, {syn_received, std::nullopt, false}, [&](const TcpSeen& s) {
    found.insert({s.local, s.peer});
  });
  return found;
}

void Handshakes::remember(SocketList& list, const TcpPlaces& places) {
  begun_before_ = half_open(list, places);
}

unsigned Handshakes::left(SocketList& list, const TcpPlaces& places) {
  if (begun_before_.empty()) return 0;
  const std::set<Handshake> now = half_open(list, places);
  std::erase_if(begun_before_, [&](const Handshake& h) { return !now.contains(h); });
  return static_cast<unsigned>(begun_before_.size());
}

}  // namespace graced
