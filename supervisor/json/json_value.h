// The parts of what programs read. What is not known is null; a duration is seconds with a fraction, and null
// for ever.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/time.h"

namespace graced {

using Json = nlohmann::ordered_json;  // a reader finds things in the order they are documented in

inline Json json_seconds(Duration d) {
  if (d == infinity) return nullptr;
  return std::chrono::duration<double>(d).count();
}

inline Json json_seconds(const std::optional<Duration>& d) {
  return d ? json_seconds(*d) : Json(nullptr);
}

template <class Value>
Json json_if_known(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

template <class Number>
Json json_unless_zero(Number n) {
  return n != 0 ? Json(n) : Json(nullptr);
}

inline Json json_unless_empty(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

}  // namespace graced
