// Which of the datagram sockets on one address gets what comes: a flow (one sender, one receiver) stays with
// the socket that it began with, and a new one goes to a chosen socket.
//
// All sockets of an address are in one SO_REUSEPORT group, in which they are from bind(2) on. So what is bound
// is directed before another one is bound. What waits in a socket that is closed is lost: its flows are let go
// first, and it is closed when nothing waits there any more.
//
// Without eBPF no flow is remembered: all that comes goes to the chosen ones.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/base/fd.h"
#include "linux/steering/steering.h"

namespace graced {

class UdpFlows {
 public:
  // most: flows that are remembered, 0: none. timeout: a flow that was silent for longer begins anew.
  UdpFlows(SteeringMethod method, unsigned most, Duration timeout)
      : method_(method), most_(most), timeout_(timeout) {}

  // For what is directed from now on.
  void time_out_after(Duration timeout) { timeout_ = timeout; }
  Duration timeout() const { return timeout_; }

  // Why flows are not remembered although that was asked for; empty: they are.
  const std::string& why_not() const { return why_not_; }
  bool remembers() const { return method_ == SteeringMethod::ebpf && most_ > 0 && why_not_.empty(); }

  // It was bound, with SO_REUSEPORT set before; to be told in that order. Keeps a duplicate. key: of
  // datagram_key(). False: it is in already.
  bool join(const std::string& key, int fd, ino_t inode);

  // New flows go to these of the address, which have joined; none: as before. Throws std::system_error, and
  // then all is as before; EBUSY: whoever bound it has a program of his own there.
  void direct(const std::string& key, const std::set<ino_t>& chosen);
  bool is_directed(const std::string& key) const;

  // Its flows go to the chosen ones from now on.
  void let_flows_go(ino_t inode);

  // The others have been closed by all who had them. What is left of the chosen ones is chosen.
  void keep_only(const std::set<ino_t>& held);
  bool has_others(const std::set<ino_t>& held) const;  // than these

  bool has(ino_t inode) const { return sockets_.contains(inode); }
  bool has_key(const std::string& key) const;

  // Whether a datagram waits in it to be read.
  bool anything_waits(ino_t inode) const;

  struct Heard {
    std::uint64_t datagrams = 0;
    Instant last{};  // Instant{}: none has come
  };
  // nullopt: not counted.
  std::optional<Heard> heard(ino_t inode) const;

  // How many flows are remembered of each socket, and were heard within the timeout.
  std::map<ino_t, std::uint64_t> count_flows() const;

  struct Group {
    std::vector<ino_t> members;  // as the kernel lists them
    std::set<ino_t> chosen;
  };

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    SteeringMethod method = SteeringMethod::none;
    unsigned most = 0;
    Duration timeout{};
    std::string why_not{};
    std::map<std::string, Group> groups{};
    struct Socket {
      std::string key;
      int fd = -1;
      std::optional<unsigned> slot{};
      std::uint32_t serial = 0;
      bool lets_go = false;
    };
    std::map<ino_t, Socket> sockets{};
    int array = -1;
    int slots = -1;
    int flows = -1;
    std::vector<bool> taken{};
    std::uint32_t last_serial = 0;
  };
  Kept kept() const;
  explicit UdpFlows(Kept kept);

 private:
  struct Socket {
    std::string key;
    Fd fd;
    std::optional<unsigned> slot{};
    std::uint32_t serial = 0;
    bool lets_go = false;
  };
  void direct_by_slots(const std::set<ino_t>& chosen);
  void direct_by_places(const Group& group, const std::set<ino_t>& chosen);
  void make_maps();
  unsigned slot_for(Socket& socket);
  void say_whose(const Socket& socket, std::uint32_t serial);
  void leave(ino_t inode, Group& group);

  SteeringMethod method_;
  unsigned most_;
  Duration timeout_;
  std::string why_not_;
  std::map<std::string, Group> groups_;
  std::map<ino_t, Socket> sockets_;
  Fd array_;
  Fd slots_;
  Fd flows_;
  std::vector<bool> taken_;  // slots
  std::uint32_t last_serial_ = 0;
};

}  // namespace graced
