// Which set of listening sockets gets the new connections: of each address a set has one socket. To choose
// another set is one write for all the addresses, of a microsecond, whatever listens and however often.
//
// The sockets of an address are in one SO_REUSEPORT group, in which those that are not chosen get nobody. What
// is in their accept queues, or half open, is theirs as long as they listen, and then goes to the chosen one.
// An address of which the chosen set has no socket refuses its clients.
#pragma once

#include <map>

#include "linux/base/fd.h"

namespace graced {

class SteeringSets {
 public:
  static constexpr unsigned most = 8;
  using Set = unsigned;      // below `most`
  using Address = unsigned;  // as the caller counts them

  // None is chosen. Throws std::system_error naming the step: needs CAP_BPF and Linux 5.14.
  SteeringSets();

  // The address of this socket, which is the only one that listens there, in the place of all sets but the
  // chosen one, whose it becomes. It may have clients: none of them is lost, nor held up. Throws
  // std::system_error, and then all is as before.
  void steer(Address address, int listening_fd);

  // Another socket on an address that is steered, of a set that is not the chosen one; or one that listens
  // again.
  void put(Address address, Set set, int listening_fd);

  // New connections go there from now on.
  void choose(Set set);

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    int number = -1;
    Set chosen = 0;
    std::map<Address, int> arrays{};
  };
  Kept kept() const;
  explicit SteeringSets(const Kept& kept);

  // Once its last socket is closed.
  void forget(Address address) { arrays_.erase(address); }

 private:
  Fd number_;  // of the chosen set
  Set chosen_ = 0;
  std::map<Address, Fd> arrays_;  // of sockets, by set
};

}  // namespace graced
