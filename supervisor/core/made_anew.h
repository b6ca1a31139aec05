// Names that every generation makes for itself, so that no other can know them.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace graced {

// The name with each number in it that is one of `pids` replaced by "{pid}": what a process puts into a name of
// its own.
std::string without_pids(std::string_view name, const std::set<int>& pids);

// Whether two names are the same but for parts that are drawn at random, as mkstemp(3), mkdtemp(3) and their
// kin and UUIDs do it: as long in both, six characters or more, most of them different, digits or capitals
// among them, and not numbers only, which may be versions or dates.
bool differ_at_random(std::string_view one, std::string_view other);

}  // namespace graced
