// Which of the sockets that listen on one address gets the new connections.
//
// All of them are in one SO_REUSEPORT group, and the kernel asks a program of ours which one it is. What
// is already in an accept queue, or half open, stays where it is as long as that socket listens.
//
// The order that refuses nobody: direct_to() the serving ones before a candidate listens on the address
// (without a program the kernel spreads over all); at promotion direct_to() the candidate's; when the old
// worker is gone, leaves(), close its sockets, left().
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "linux/base/fd.h"
#include "linux/steering/bpf_program.h"

namespace graced {

enum class SteeringMethod {
  ebpf,
  // Chooses by place in the kernel's list, where the last one moves when a socket is closed. What is to be
  // closed is told before, see leaves(), so that any moment of that is right where two are chosen, or where one
  // drains. With one chosen and several that drain a new connection that comes in just that moment reaches one
  // of these, one in some thousands; to let a single one drain would end all that is in flight instead.
  cbpf,
  none,
};

struct SteeringProbe {
  SteeringMethod method = SteeringMethod::none;
  // The queue of a socket that is closed goes to the chosen ones; else its connections are reset.
  bool migrates = false;
  // Nothing if ebpf works and migrates. Else one line: what failed, what it needs, what is lost without:
  // "BPF_PROG_LOAD: Operation not permitted: needs CAP_BPF; while several generations drain, …".
  std::string why;
};

// Tries it on sockets of its own on the loopback interface; takes about a millisecond.
SteeringProbe probe_steering();

// Descriptors are borrowed, and must be open from joined() or direct_to() until left().
class ReuseportGroup {
 public:
  explicit ReuseportGroup(SteeringMethod method) : method_(method) {}

  // It has begun to listen. To be told in the order in which that happened.
  void joined(int fd, ino_t inode);

  // Their last descriptors are to be closed, in this order. Until left() new connections go to those of the
  // chosen ones only whose places stay.
  void leaves(const std::vector<ino_t>& inodes);

  // They have been. Directs anew to those that are left of the chosen ones.
  void left(const std::vector<ino_t>& inodes);

  // From now on new connections go to these only, which may be there several times, to get more. As long as one
  // of them listens, no other socket gets any; if all of them are closed, the kernel spreads over what listens.
  // Without eBPF they must have joined. Throws std::system_error naming the step, and then all is as before;
  // EOPNOTSUPP means an MPTCP socket (Go: GODEBUG=multipathtcp=0), or SteeringMethod::none.
  void direct_to(std::span<const int> fds);

  // What a probe connects from these ports, see ProbeChoice, goes to these sockets only, until the next call.
  // None: it is refused; without eBPF it goes where all others go. Nothing changes for those. direct_to() has
  // been called. Throws as that does.
  void probe(std::span<const std::uint16_t> first_ports, std::span<const int> fds);
  void probe_no_more();
  bool is_directed() const { return !chosen_.empty(); }

  // So many of all new connections go to these sockets instead, at random, whoever is chosen for the others; if
  // all of them are closed, none does. direct_to() has been called. Throws as that does, and then
  // share_no_more() is due.
  void share(unsigned per_mille, std::span<const int> fds);
  void share_no_more();
  void forget_share() { shared_.reset(); }  // the next direct_to() is without
  // What a probe connects from these ports, see ProbeChoice, is none of what is shared out; until the next
  // call. Costs nothing where nothing is. Throws as direct_to() does.
  void spare(std::span<const std::uint16_t> first_ports);
  // Since the first share() after there was none; nothing where that cannot be counted, which takes eBPF.
  std::optional<ShareCounts> share_counts() const;

  struct Member {
    int fd = -1;
    ino_t inode = 0;
  };
  struct Probed {
    std::vector<std::uint16_t> first_ports{};
    std::vector<Member> members{};
  };

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    SteeringMethod method = SteeringMethod::none;
    std::vector<Member> members{};
    std::vector<Member> chosen{};
    std::optional<Probed> probed{};
    struct Shared {
      unsigned per_mille = 0;
      std::vector<Member> members{};
      int counts = -1;  // -1: not counted
    };
    std::optional<Shared> shared{};
    std::vector<std::uint16_t> spared{};
    int array = -1;
    std::vector<ino_t> slots{};
    bool migrates = true;
  };
  Kept kept() const;
  explicit ReuseportGroup(Kept kept);

 private:
  std::span<const Member> probed_members() const;  // none: there is no probe
  std::span<const Member> shared_members() const;  // none: nothing is shared out
  bool spares_any() const;
  void direct(std::span<const Member> chosen);
  void direct_by_slots(std::span<const Member> chosen);
  void direct_by_places(std::span<const Member> chosen, std::span<const Member> probed,
                        std::span<const Member> sharing);
  unsigned slot_for(const Member& member);
  std::vector<unsigned> places_of(std::span<const Member> members) const;

  SteeringMethod method_;
  std::vector<Member> members_;  // as the kernel lists them
  std::vector<Member> chosen_;
  std::optional<Probed> probed_;
  struct Shared {
    unsigned per_mille;
    std::vector<Member> members;
    Fd counts;
  };
  std::optional<Shared> shared_;
  std::vector<std::uint16_t> spared_;
  Fd array_;                  // kept: a socket cannot move to another one
  std::vector<ino_t> slots_;  // of array_; 0 is free
  Queued queued_ = Queued::migrate;
};

}  // namespace graced
