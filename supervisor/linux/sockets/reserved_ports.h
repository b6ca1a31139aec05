// Local TCP ports that nobody else on this machine is given to connect from.
#pragma once

#include <cstdint>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

class ReservedPorts {
 public:
  // `count` ports in a row, a power of two, of which the first can be divided by that: not of those that
  // clients are given by themselves (ip_local_port_range), where there are others. Throws std::system_error if
  // none are free.
  explicit ReservedPorts(unsigned count);

  std::uint16_t first() const { return first_; }

  // Whoever connects from there may now have them without SO_REUSEADDR, which he needs until then.
  void let_go() { sockets_.clear(); }

 private:
  bool take(std::uint16_t first, unsigned count);

  std::uint16_t first_ = 0;
  std::vector<Fd> sockets_;
};

}  // namespace graced
