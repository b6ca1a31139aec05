// Words for what keeps a worker from being taken for ready.
#pragma once

#include <string>
#include <vector>

namespace graced {

// The way out where an address is missing.
inline constexpr const char* lets_it_go = " (--adopt-changes allow lets it go)";

// The first of them, and how many others there are.
std::string listed(const std::vector<std::string>& addresses);

}  // namespace graced
