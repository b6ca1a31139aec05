// Descriptors for when there are none left: whoever comes to the control socket then is let in, and, where too
// many have come, turned away.
#pragma once

#include <vector>

#include "linux/base/fd.h"

namespace graced {

// errno: no descriptor could be had, of this process or of the system.
bool is_for_want_of_descriptors(int code);

class DescriptorReserve {
 public:
  DescriptorReserve();

  // What the next client needs may be opened. False: there is no reserve any more.
  bool use();

  // As much as there may be again: whoever ends leaves the descriptors that it had.
  void keep();

  std::vector<int> numbers() const;

  // Lets one in and hangs up. False: that cannot be.
  bool turn_one_away(int listening);

 private:
  std::vector<Fd> reserve_;
  Fd spare_;
};

}  // namespace graced
