// The kernel's own list of sockets (netlink, sock_diag(7)), which it filters before it tells.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "linux/base/fd.h"
#include "linux/base/file_id.h"
#include "linux/base/socket_name.h"
#include "linux/sockets/tcp_activity.h"

struct tcp_info;  // <linux/tcp.h>: the kernel's, which has more than <netinet/tcp.h>

namespace graced {

// What is asked for: sockets bound to one of these local ports.
struct TcpPlaces {
  // IPPROTO_TCP; and before it IPPROTO_MPTCP, of which there is no tcp_info, and which the list of TCP has
  // again, with the same inode. IPPROTO_UDP can be asked for as well: its sockets are in TCP_CLOSE, or
  // TCP_ESTABLISHED where they are connected.
  std::set<int, std::greater<>> protocols;
  std::set<int> families;  // AF_INET; AF_INET6, where IPv4 connections of dual-stack sockets are as well
  std::set<std::uint16_t> ports;

  bool empty() const { return ports.empty(); }
};

struct TcpQuestion {
  unsigned states;                      // a set of bits: 1 << TCP_ESTABLISHED and so on
  std::optional<std::uint64_t> cgroup;  // made in this one of the v2 hierarchy, or below it
  bool with_info;
  bool with_drops = false;
};

struct TcpSeen {
  TcpCounts counts;
  ino_t inode;  // 0: nobody has accepted it yet
  Endpoint local;
  Endpoint peer;
  const tcp_info* info;  // nullptr unless asked for; valid during the call only
  // Connections (of UDP: datagrams) that had no room, since the socket was made; none unless asked for.
  std::optional<std::uint32_t> drops{};
};

struct UnixSeen {
  ino_t inode;
  ino_t peer;        // 0 if it is gone
  std::string name;  // unix_name(); an accepted one has its listener's
  FileId file{};     // that the name leads to, likewise, as file_in_list() has it
};

// Of a listening socket.
struct AcceptQueue {
  unsigned waiting;
  unsigned longest;  // how many may
};

struct UnixListenerSeen {
  ino_t inode;
  std::string name;  // unix_name()
  FileId file;       // that it is bound to, as file_in_list() has it; none: an abstract name
  AcceptQueue queue{0, 0};
};

// The list has 32 bits of an inode's number. On a filesystem that numbers its devices in its own way (btrfs,
// some overlays) a file is another one in the list.
FileId file_in_list(const FileId& file);

class SocketList {
 public:
  // Throws std::system_error if it cannot be had: not in this kernel, or forbidden to this process.
  SocketList();

  // All throw std::system_error, ENOENT or EOPNOTSUPP where the kernel has no such list.
  void each_tcp(const TcpPlaces& places, const TcpQuestion& question,
                const std::function<void(const TcpSeen&)>& seen);
  // The same of sockets that are connected to one of these ports.
  void each_tcp_to(const TcpPlaces& places, const TcpQuestion& question,
                   const std::function<void(const TcpSeen&)>& seen);
  // Each that listens, wherever.
  void each_tcp_listener(const std::function<void(const TcpSeen&)>& seen);
  void each_unix_connection(const std::function<void(const UnixSeen&)>& seen);
  void each_unix_listener(const std::function<void(const UnixListenerSeen&)>& seen);

  std::optional<AcceptQueue> unix_queue(ino_t listening);

  int fd() const { return socket_.get(); }

 private:
  enum class End : std::uint8_t;
  void each_tcp_of(const TcpPlaces& places, End end, const TcpQuestion& question,
                   const std::function<void(const TcpSeen&)>& seen);
  void each_tcp_of(int protocol, int family, const std::vector<std::uint8_t>& filter,
                   const TcpQuestion& question, const std::function<void(const TcpSeen&)>& seen);
  template <class Message, class Seen>
  void ask(std::span<const std::uint8_t> request, bool all, const Seen& seen);

  Fd socket_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_;
};

}  // namespace graced
