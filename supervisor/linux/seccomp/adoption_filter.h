// The seccomp filter of an adopted worker: bind, listen, and what removes, renames or links files are asked
// about, all else runs as ever. Built once with libseccomp, for this processor's calls and its 32-bit ones.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

namespace graced {

// Throws std::system_error if libseccomp cannot build it.
const std::vector<sock_filter>& adoption_filter();

// What seccomp(2) is told when the filter is loaded; async-signal-safe. The result is the descriptor
// that notifications come from, or -1 with errno.
int load_adoption_filter(const std::vector<sock_filter>& filter, bool wait_killable) noexcept;

// Why loading it failed, in one line with the way out.
std::string adoption_filter_refused(int code);

}  // namespace graced
