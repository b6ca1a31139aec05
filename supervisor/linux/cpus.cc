// sched_getaffinity(2): what this process may use, not what the machine has.
#include "linux/cpus.h"

#include <sched.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace graced {

unsigned available_cpus() {
  // The kernel refuses a set smaller than its own, and how large that is it does not tell.
  for (std::size_t sets = 1; sets <= 64; sets *= 2) {
    std::vector<cpu_set_t> mask(sets);
    const auto bytes = mask.size() * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, mask.data()) == 0)
      return static_cast<unsigned>(CPU_COUNT_S(bytes, mask.data()));
    if (errno != EINVAL) break;
  }
  return 1;
}

}  // namespace graced
