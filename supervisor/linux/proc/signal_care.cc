#include "linux/proc/signal_care.h"

#include <fmt/format.h>

#include "linux/proc/proc_file.h"
#include "linux/proc/proc_text.h"

namespace graced {

std::optional<bool> cares_for(pid_t pid, int signo) {
  const std::uint64_t bit = std::uint64_t{1} << (signo - 1);
  const auto status = contents_of(fmt::format("/proc/{}/status", pid));
  if (!status) return std::nullopt;
  const auto caught = parse_signal_set(*status, "SigCgt");
  const auto ignored = parse_signal_set(*status, "SigIgn");
  if (!caught || !ignored) return std::nullopt;
  if (((*caught | *ignored) & bit) != 0) return true;
  for (const std::string& thread : entries_of(fmt::format("/proc/{}/task", pid))) {
    const auto of_thread = contents_of(fmt::format("/proc/{}/task/{}/status", pid, thread));
    const auto blocked = of_thread ? parse_signal_set(*of_thread, "SigBlk") : std::nullopt;
    if (blocked && (*blocked & bit) != 0) return true;
  }
  return false;
}

}  // namespace graced
