// What processes take of the machine, as /proc tells those who look from outside.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "core/time.h"

namespace graced {

struct ProcessUsage {
  unsigned processes = 0;
  Duration cpu{};              // all that they have run, and those whose end they have waited for
  Duration cpu_alone{};        // without the latter
  std::uint64_t resident = 0;  // bytes; a page that several of them have counts for each
};

// All may read this, unless /proc is mounted with hidepid. nullopt: it is gone, or hidden.
std::optional<ProcessUsage> usage_of_process(pid_t process);
std::optional<ProcessUsage> usage_of_tree(pid_t top);  // it and all below it

// Bytes; of a page that several processes have, its share (PSS). Takes the kernel a walk through its memory.
// nullopt if it is gone, or we may not look (CAP_SYS_PTRACE).
std::optional<std::uint64_t> proportional_memory(pid_t process);

// How many it has open. nullopt likewise.
std::optional<unsigned long> descriptor_count(pid_t process);

// Whether it has the same network as we: then the kernel's lists of sockets have its sockets. Anybody may ask.
// nullopt: it is gone, or hidden.
std::optional<bool> is_in_own_network(pid_t process);

}  // namespace graced
