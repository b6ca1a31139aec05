#include "linux/proc/process_usage.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "core/number.h"
#include "linux/proc/descriptors.h"
#include "linux/proc/proc_file.h"
#include "linux/proc/proc_text.h"
#include "linux/proc/process.h"

namespace graced {
namespace {

Duration of_ticks(std::uint64_t ticks) {
  static const auto per_second = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  return std::chrono::nanoseconds(1s) / per_second * ticks;
}

std::uint64_t of_pages(std::uint64_t pages) {
  static const auto size = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_PAGESIZE)));
  return pages * size;
}

// Each network has a file of its own behind that name.
ino_t network_table_of(const std::string& process) {
  struct stat table {};
  return ::stat(fmt::format("/proc/{}/net/tcp", process).c_str(), &table) == 0 ? table.st_ino : 0;
}

}  // namespace

std::optional<ProcessUsage> usage_of_process(pid_t process) {
  const auto text = contents_of(fmt::format("/proc/{}/stat", process));
  const auto stat = text ? parse_stat(*text) : std::nullopt;
  if (!stat || stat->state == 'X') return std::nullopt;
  return ProcessUsage{1, of_ticks(stat->ran + stat->ran_before), of_ticks(stat->ran), of_pages(stat->resident)};
}

std::optional<ProcessUsage> usage_of_tree(pid_t top) {
  std::optional<ProcessUsage> all = usage_of_process(top);
  if (!all) return std::nullopt;
  for (const pid_t below : descendants_of(top)) {
    const auto one = usage_of_process(below);
    if (!one) continue;
    all->processes += one->processes;
    all->cpu += one->cpu;
    all->cpu_alone += one->cpu_alone;
    all->resident += one->resident;
  }
  return all;
}

std::optional<std::uint64_t> proportional_memory(pid_t process) {
  const auto text = contents_of(fmt::format("/proc/{}/smaps_rollup", process));
  constexpr std::string_view key = "\nPss:";
  const std::size_t at = text ? text->find(key) : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(*text).substr(at + key.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto kilobytes = leading_number<std::uint64_t>(rest);
  return kilobytes ? std::optional(*kilobytes * 1024) : std::nullopt;
}

std::optional<unsigned long> descriptor_count(pid_t process) {
  Descriptors open(process);
  if (open.failed() != 0) return std::nullopt;
  if (const auto count = open.count()) return count;
  return open.numbers().size();
}

std::optional<bool> is_in_own_network(pid_t process) {
  const ino_t own = network_table_of("self");
  const ino_t other = network_table_of(std::to_string(process));
  if (own == 0 || other == 0) return std::nullopt;
  return own == other;
}

}  // namespace graced
