// What a version that has read a state, and writes it again, has left out of it.
#pragma once

#include <string>

#include "json/json_value.h"

namespace graced {

// Whether all that is in the one is in the other as well; the result is the first place where it is not.
inline std::string first_lost(const Json& before, const Json& after, const std::string& place = "state") {
  if (before.is_object() && after.is_object()) {
    for (const auto& [key, value] : before.items()) {
      const auto found = after.find(key);
      if (found == after.end()) return place + "." + key;
      if (auto lost = first_lost(value, *found, place + "." + key); !lost.empty()) return lost;
    }
    return {};
  }
  if (before.is_array() && after.is_array() && before.size() == after.size()) {
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (auto lost = first_lost(before[i], after[i], place + "[" + std::to_string(i) + "]"); !lost.empty())
        return lost;
    }
    return {};
  }
  return before == after ? "" : place;
}

}  // namespace graced
