#include "top/amounts.h"

#include <fmt/format.h>

#include <array>

namespace graced {

std::string bytes_text(std::optional<std::uint64_t> bytes) {
  if (!bytes) return "-";
  constexpr std::array units{"", "K", "M", "G", "T", "P", "E"};
  auto amount = static_cast<double>(*bytes);
  std::size_t unit = 0;
  for (; amount >= 999.5 && unit + 1 < units.size(); ++unit) amount /= 1024;
  if (unit == 0) return fmt::format("{}", *bytes);
  return amount < 9.95 ? fmt::format("{:.1f}{}", amount, units[unit])
                       : fmt::format("{:.0f}{}", amount, units[unit]);
}

std::string share_text(std::optional<double> share) {
  if (!share) return "-";
  const double percent = *share * 100;
  if (percent < 0.05) return "0%";
  return percent < 9.95 ? fmt::format("{:.1f}%", percent) : fmt::format("{:.0f}%", percent);
}

std::string count_text(std::optional<std::uint64_t> count) {
  return count ? fmt::to_string(*count) : "-";
}

std::string queue_text(std::optional<std::uint32_t> waiting, std::optional<std::uint32_t> longest) {
  if (!waiting) return "-";
  return longest ? fmt::format("{}/{}", *waiting, *longest) : fmt::to_string(*waiting);
}

}  // namespace graced
