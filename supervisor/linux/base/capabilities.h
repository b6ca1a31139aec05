// Capabilities by the names that capabilities(7) has for them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graced {

// The number of "net_bind_service" or "CAP_NET_BIND_SERVICE"; nullopt: there is none of that name.
std::optional<int> capability_number(std::string_view name);

// "net_bind_service"
std::string capability_name(int number);

std::vector<std::string> capability_names();

// Of this process, effective.
bool has_capability(int number);

}  // namespace graced
