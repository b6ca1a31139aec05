// What graced waits for while a process of its own reads or looks something up.
#pragma once

#include <string>
#include <string_view>

namespace graced {

struct WaitsFor {
  std::string what{};      // "/etc/shop.env", "user 'app'"; empty: nothing is waited for
  std::string_view how{};  // "read", "looked up": it is to be
};

}  // namespace graced
