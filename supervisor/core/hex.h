#pragma once

#include <string>
#include <string_view>

namespace graced {

// Any bytes, two digits each: "ff0a".
std::string in_hex(std::string_view bytes);

}  // namespace graced
