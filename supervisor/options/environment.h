// An environment as main gets it, NAME=VALUE each, looked up by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graced {

inline std::optional<std::string> find_variable(const std::vector<std::string>& environment,
                                                std::string_view name) {
  for (const auto& assignment : environment) {
    if (assignment.size() > name.size() && assignment[name.size()] == '=' && assignment.starts_with(name)) {
      return assignment.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

}  // namespace graced
