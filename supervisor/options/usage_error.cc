#include "options/usage_error.h"

#include <fmt/format.h>

namespace graced {

namespace {

std::string in_one(const std::vector<std::string>& lines) {
  if (lines.size() == 1) return lines.front();
  return fmt::format("{} (and {} more, graced check tells all)", lines.front(), lines.size() - 1);
}

}  // namespace

UsageError::UsageError(const std::string& line) : UsageError(std::vector{line}) {}

UsageError::UsageError(std::vector<std::string> lines)
    : std::runtime_error(in_one(lines)),
      lines_(std::make_shared<const std::vector<std::string>>(std::move(lines))) {}

}  // namespace graced
