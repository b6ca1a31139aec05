// The listening sockets of graced's workers, by the address that they share: whom the kernel gives new
// connections there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "linux/base/fd.h"
#include "linux/steering/steering.h"

namespace graced {

// Keeps a duplicate of each socket until it is told that nobody has it any more. Addresses are keys of
// group_key().
class SteeringGroups {
 public:
  // Before the first socket joins.
  void steer_by(SteeringMethod method) { method_ = method; }

  // It has begun to listen. False: it is in already, or of no group (key is empty).
  bool join(const std::string& key, int fd, ino_t inode);

  // A process that nobody knows of may have it still: it is shut down when it is not kept any more, see
  // keep_only(), where the group knows of it. False: it is of no group.
  bool shut_at_last(ino_t inode);

  // The others have been closed by all who had them, but for those that are to be shut.
  void keep_only(const std::set<ino_t>& held);
  bool has_others(const std::set<ino_t>& held) const;  // than these

  // All of the address, as if none of them had ever joined. What is attached stays attached.
  void forget(const std::string& key);

  // New connections go to these sockets of the address, which have joined; to one that is there several times,
  // so many times as often. Throws as ReuseportGroup::direct_to() does.
  void direct(const std::string& key, const std::vector<ino_t>& chosen);

  // What a probe connects goes to these of the address, which have joined; see ReuseportGroup. Nothing where
  // new connections were never directed: nobody else is there.
  void probe(const std::string& key, std::span<const std::uint16_t> first_ports, const std::set<ino_t>& probed);
  void probe_no_more();

  // So many of the address's new connections go to these, which have joined; see ReuseportGroup. False where
  // new connections were never directed, and so cannot be shared.
  bool share(const std::string& key, unsigned per_mille, const std::set<ino_t>& shared);
  void share_no_more();
  // What a probe connects from these ports is none of that, at any address; until the next call.
  void spare(std::span<const std::uint16_t> first_ports);
  void forget_shares();
  // Of all addresses; nothing where that cannot be counted.
  std::optional<ShareCounts> share_counts() const;

  // None of them gets any more, for good: see Hidden::unseen. Throws std::system_error.
  void hide(const std::string& key);

  std::set<std::string> keys() const;
  bool has(const std::string& key, ino_t inode) const;
  int any_of(const std::string& key) const;  // of a key that there is; borrowed

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    SteeringMethod method = SteeringMethod::none;
    std::map<std::string, ReuseportGroup::Kept> groups{};
    struct Socket {
      std::string key;
      int fd = -1;
    };
    std::map<ino_t, Socket> sockets{};
    std::vector<std::uint16_t> spared{};
  };
  Kept kept() const;
  SteeringGroups() = default;
  explicit SteeringGroups(Kept kept);

 private:
  struct Socket {
    std::string key;
    Fd fd;
    bool to_be_shut = false;
  };
  std::vector<int> borrowed(const std::set<ino_t>& inodes) const;

  SteeringMethod method_ = SteeringMethod::none;
  std::map<std::string, ReuseportGroup> groups_;
  std::map<ino_t, Socket> sockets_;
  std::vector<std::uint16_t> spared_;
};

}  // namespace graced
