// Names that are new each time.
#include "linux/adoption/adopted_socket.h"

#include "core/made_anew.h"
#include "linux/adoption/adopted_names.h"

namespace graced {

bool made_anew(const AdoptedSocket& one, const AdoptedSocket& other) {
  if (one.pattern.empty() || other.pattern.empty()) return false;
  return one.pattern == other.pattern || differ_at_random(one.pattern, other.pattern);
}

}  // namespace graced
