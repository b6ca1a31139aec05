// How many CPUs there are for us: what `--workers auto` means.
#pragma once

namespace graced {

// CPUs this process may run on (affinity, cpusets), at least 1.
unsigned available_cpus();

}  // namespace graced
