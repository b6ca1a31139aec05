// Another program in the place of this one.
#pragma once

#include <string>
#include <vector>

namespace graced {

// The words of its command, looked for in PATH. Does not return; throws std::system_error.
[[noreturn]] void become(const std::vector<std::string>& command);

}  // namespace graced
