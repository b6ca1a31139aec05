// The value of --keep-capabilities: names of capabilities(7), a comma between them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace graced {

// A bit for each number. Throws std::invalid_argument with a line about the value.
std::uint64_t read_capabilities(std::string_view text);

// In the order of their numbers; empty for none.
std::string capabilities_text(std::uint64_t capabilities);

}  // namespace graced
