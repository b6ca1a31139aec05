// The kernel's own list of sockets (netlink, sock_diag(7)), which it filters before it tells.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "linux/fd.h"

struct tcp_info;  // <linux/tcp.h>: the kernel's, which has more than <netinet/tcp.h>

namespace graced {

struct Endpoint {
  std::array<std::uint8_t, 16> ip{};  // IPv4 as ::ffff:a.b.c.d
  std::uint16_t port = 0;             // 1 to 65535

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// States as a set of bits: 1 << TCP_ESTABLISHED and so on.
struct TcpQuestion {
  int family;  // AF_INET, or AF_INET6 where IPv4 connections of dual-stack sockets are as well
  unsigned states;
  std::set<std::uint16_t> ports;        // local ones
  std::optional<std::uint64_t> cgroup;  // made in this one of the v2 hierarchy, or below it
  bool with_info;
};

struct TcpSeen {
  unsigned state;
  ino_t inode;  // 0: nobody has accepted it yet
  Endpoint local;
  Endpoint peer;
  unsigned unread;          // bytes that the process has not read; of a listening socket: its queue
  unsigned unacknowledged;  // bytes that have not arrived at the peer
  const tcp_info* info;     // nullptr unless asked for; valid during the call only
};

struct UnixSeen {
  ino_t inode;
  std::string name;  // as bound, "" if not; an accepted one has its listener's. Abstract: begins with NUL
};

class SocketList {
 public:
  // Throws std::system_error if it cannot be had: not in this kernel, or forbidden to this process.
  SocketList();

  // Both throw std::system_error, ENOENT or EOPNOTSUPP where the kernel has no such list.
  void each_tcp(const TcpQuestion& question, const std::function<void(const TcpSeen&)>& seen);
  void each_unix_connection(const std::function<void(const UnixSeen&)>& seen);

  // How many wait in the accept queue of this listening unix socket.
  std::optional<unsigned> unix_queue(ino_t listening);

 private:
  template <class Message, class Seen>
  void ask(std::span<const std::uint8_t> request, bool all, const Seen& seen);

  Fd socket_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_;
};

}  // namespace graced
