// sched_getaffinity(2), and cpu.max of the kernel's cgroup-v2.rst: "max 100000", or microseconds of processor
// time in as many of time.
#include "linux/self/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "core/number.h"
#include "linux/proc/proc_file.h"
#include "linux/worker/cgroup_place.h"

namespace graced {

namespace {

unsigned cpus_by_affinity() {
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

// 0: no limit.
unsigned cpus_of(std::string_view cpu_max) {
  const auto quota = take_number<std::uint64_t>(cpu_max);
  if (!quota || cpu_max.empty()) return 0;  // "max"
  const auto period = leading_number<std::uint64_t>(cpu_max.substr(1));
  if (!period || *period == 0) return 0;
  const std::uint64_t whole = *quota / *period + (*quota % *period == 0 ? 0 : 1);
  return static_cast<unsigned>(std::clamp<std::uint64_t>(whole, 1, std::numeric_limits<unsigned>::max()));
}

}  // namespace

unsigned cpus_by_quota(std::string directory, const std::string& top) {
  unsigned least = 0;
  for (;; directory.resize(directory.rfind('/'))) {
    const unsigned cpus = cpus_of(contents_of(directory + "/cpu.max").value_or(""));
    if (cpus != 0) least = least == 0 ? cpus : std::min(least, cpus);
    if (directory.size() <= top.size()) return least;
  }
}

unsigned available_cpus() {
  const unsigned by_affinity = cpus_by_affinity();
  const std::string top = cgroup_mount_point();
  const std::string own = own_cgroup();
  if (top.empty() || own.empty()) return by_affinity;
  const unsigned by_quota = cpus_by_quota(own == "/" ? top : top + own, top);
  return by_quota == 0 ? by_affinity : std::min(by_affinity, by_quota);
}

}  // namespace graced
