// A described type as JSON. What each kind of value looks like:
//
//   described type    an object; all of its members, also those that have their default value, which may be
//                     another one in another version
//   Duration          nanoseconds, or "infinity"
//   Instant           CLOCK_MONOTONIC in nanoseconds, which means something until the machine starts anew; or
//                     "never"
//   wall time         nanoseconds since 1970
//   one of several    its word
//   text              a string; if it is not UTF-8 an object with its bytes: {"hex": "ff0a"}
//   optional          its value, or null
//   sequence          an array
//   map               an array of pairs
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <string_view>

#include "core/time.h"
#include "json/json_value.h"
#include "state/kinds.h"
#include "state/members.h"
#include "state/words.h"

namespace graced {

Json json_text(std::string_view text);

class JsonWriter {
 public:
  template <class T>
  Json write(const T& value);

  // Of all members that were written and have one.
  const std::set<std::string, std::less<>>& needs() const { return needs_; }

 private:
  template <class T, class Value>
  void write_member(Json& object, const T& from, const Named<T, Value>& m);
  template <class T, class Kind>
  void write_member(Json& object, const T& from, const Worded<T, Kind>& m);
  template <class T, class Value>
  void write_member(Json&, const T&, const NotWritten<T, Value>&) {}

  std::set<std::string, std::less<>> needs_;
};

template <class T>
Json JsonWriter::write(const T& value) {
  if constexpr (Described<T>) {
    Json object = Json::object();
    for_each_member<T>([&](const auto& m) { write_member(object, value, m); });
    return object;
  } else if constexpr (std::same_as<T, std::string>) {
    return json_text(value);
  } else if constexpr (std::same_as<T, bool> || WholeNumber<T>) {
    return value;
  } else if constexpr (std::same_as<T, Duration>) {
    return value == infinity ? Json("infinity") : Json(value.count());
  } else if constexpr (std::same_as<T, Instant>) {
    return value == no_deadline ? Json("never") : Json(value.time_since_epoch().count());
  } else if constexpr (std::same_as<T, std::chrono::system_clock::time_point>) {
    return std::chrono::nanoseconds(value.time_since_epoch()).count();
  } else if constexpr (std::is_enum_v<T>) {
    return state_word(value);
  } else if constexpr (is_id<T>) {
    return value.value;
  } else if constexpr (is_optional<T>) {
    return value ? write(*value) : Json(nullptr);
  } else if constexpr (is_sequence<T>) {
    Json array = Json::array();
    for (const auto& v : value) array.push_back(write(v));
    return array;
  } else if constexpr (is_map<T>) {
    Json array = Json::array();
    for (const auto& [key, v] : value) array.push_back(Json::array({write(key), write(v)}));
    return array;
  } else {
    static_assert(is_unknown<T>, "no kind of value: name its members, in a Members<T>");
  }
}

template <class T, class Value>
void JsonWriter::write_member(Json& object, const T& from, const Named<T, Value>& m) {
  Json value = write(from.*m.at);
  if (!m.need.empty() && value != JsonWriter().write(made<T>().*m.at)) needs_.emplace(m.need);
  object.emplace(m.name, std::move(value));
}

template <class T, class Kind>
void JsonWriter::write_member(Json& object, const T& from, const Worded<T, Kind>& m) {
  const std::string_view word = state_word(from.*m.at);
  object.emplace(m.name, json_text(word.empty() ? from.*m.other_word : word));
}

}  // namespace graced
