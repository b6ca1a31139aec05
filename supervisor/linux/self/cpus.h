// How many processors graced may use.
#pragma once

#include <string>

namespace graced {

// What the scheduler lets this process run on, or what its cgroup's share of processor time comes to if that is
// less. At least 1.
unsigned available_cpus();

// How many processors' time the cgroup in `directory` may use, by cpu.max of its own and of those above it up
// to `top`, rounded up; 0: as many as there are.
unsigned cpus_by_quota(std::string directory, const std::string& top);

}  // namespace graced
