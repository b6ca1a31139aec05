// A state as somebody else might have written it: one or a few things in it are others.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "json/json_value.h"

namespace graced {

inline void all_values_of(Json& json, std::vector<Json*>& found) {
  found.push_back(&json);
  if (!json.is_structured()) return;
  for (Json& value : json) all_values_of(value, found);
}

// Of bytes: others, fewer, or the same for the second time.
inline std::string damaged(std::string text, std::mt19937_64& random) {
  const std::size_t at = random() % text.size();
  const std::size_t length = random() % 20;
  switch (random() % 3) {
    case 0:
      text[at] = static_cast<char>(random());
      break;
    case 1:
      text.erase(at, length);
      break;
    default:
      text.insert(random() % text.size(), text.substr(at, length));
  }
  return text;
}

// Seeds with equal rests make equal kinds of change.
inline std::string state_mutation(const std::string& text, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  if (seed % 8 == 0) return damaged(text, random);

  Json state = Json::parse(text);
  for (std::uint64_t changes = 1 + seed % 3; changes > 0; --changes) {
    static const std::vector<Json> others{nullptr,
                                          true,
                                          false,
                                          0,
                                          1,
                                          2,
                                          3,
                                          -1,
                                          1000,
                                          4294967296,
                                          9223372036854775807,
                                          9223372036854775807u + 1,
                                          18446744073709551615u,
                                          0.5,
                                          1e300,
                                          "",
                                          "never",
                                          "infinity",
                                          "ready",
                                          "starting",
                                          "standby",
                                          "draining",
                                          "killed",
                                          "a\nb",
                                          Json::array(),
                                          Json::object(),
                                          Json::object({{"hex", "0g"}})};
    std::vector<Json*> values;
    all_values_of(state, values);
    Json& value = *values[random() % values.size()];
    switch (random() % 4) {
      case 0:
        value = Json(*values[random() % values.size()]);
        break;
      case 1:
        if (value.is_structured() && !value.empty()) {
          value.erase(std::next(value.begin(), static_cast<std::ptrdiff_t>(random() % value.size())));
          break;
        }
        [[fallthrough]];
      default:
        value = others[random() % others.size()];
    }
  }
  return state.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace graced
