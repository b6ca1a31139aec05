// Ends the reading side of another process's connection.
#pragma once

#include <functional>
#include <optional>

#include "linux/base/fd.h"

namespace graced {

// SHUT_RD: its reader finds the end after what has come so far. Takes our duplicate and closes it
// at once. False if the connection was over already.
bool end_reading(Fd duplicate);

// The same of TCP connections, one after the other, if `still` says so of them. A request that comes between
// that question and the moment at which the reader closes would be reset; so from before the question on none
// comes through, and its client meets an orderly end.
class OrderlyEnds {
 public:
  // False, and the connection as it was, if not; false, too, if it was over already.
  bool end(Fd duplicate, const std::function<bool(int fd)>& still);

 private:
  std::optional<Fd> program_;  // which drops data, for all of them; none without CAP_BPF
};

}  // namespace graced
