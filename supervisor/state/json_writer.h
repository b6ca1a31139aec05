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
//   sequence, set     an array
//   map               an array of pairs, each an array of two
//   descriptor        its number, or -1
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/time.h"
#include "json/json_value.h"
#include "state/kinds.h"
#include "state/members.h"
#include "state/state_place.h"
#include "state/words.h"

namespace graced {

// Here and not in the templates, which are there for each type that is described.
Json json_text(std::string_view text);
Json json_bool(bool value);
Json json_signed(std::int64_t value);
Json json_unsigned(std::uint64_t value);
// endless: the word for the last one of them.
Json json_nanoseconds(std::int64_t value, std::string_view endless);
Json json_pair(Json first, Json second);
Json json_array_of(std::vector<Json> values);
void add_member(Json& object, std::string_view name, Json value);

// A descriptor in a state, by the place that it has there: "daemon.workers[2].pidfd".
struct StateDescriptor {
  std::string name;
  int fd;

  friend bool operator==(const StateDescriptor&, const StateDescriptor&) = default;
};

class JsonWriter {
 public:
  template <class T>
  Json write(const T& value, const StatePlace& place);

  // Of all members that were written and have one.
  const std::set<std::string, std::less<>>& needs() const { return needs_; }
  // Of all that were written.
  const std::vector<StateDescriptor>& carried() const { return carried_; }
  const std::vector<StateDescriptor>& borrowed() const { return borrowed_; }

 private:
  template <class T, class Value, bool has_need>
  void write_member(Json& object, const T& from, const Named<T, Value, has_need>& m, const StatePlace& place);
  template <class T, class Kind>
  void write_member(Json& object, const T& from, const Worded<T, Kind>& m, const StatePlace& place);
  template <class T, class Value>
  void write_member(Json&, const T&, const NotWritten<T, Value>&, const StatePlace&) {}
  template <class T, class Value>
  void write_member(Json& object, const T& from, const Carried<T, Value>& m, const StatePlace& place);
  template <class T, class Value>
  void write_member(Json& object, const T& from, const Borrowed<T, Value>& m, const StatePlace& place);
  template <class Values>
  Json write_all(const Values& values, const StatePlace& place);

  // An int, or several in a sequence or as values of a map.
  template <class Value>
  static void note(std::vector<StateDescriptor>& list, const Value& value, const StatePlace& place);

  std::set<std::string, std::less<>> needs_;
  std::vector<StateDescriptor> carried_;
  std::vector<StateDescriptor> borrowed_;
};

template <class T>
Json JsonWriter::write(const T& value, const StatePlace& place) {
  if constexpr (Described<T>) {
    Json object = Json::object();
    for_each_member<T>([&](const auto& m) { write_member(object, value, m, place); });
    return object;
  } else if constexpr (std::same_as<T, std::string>) {
    return json_text(value);
  } else if constexpr (std::same_as<T, bool>) {
    return json_bool(value);
  } else if constexpr (WholeNumber<T> && std::is_signed_v<T>) {
    return json_signed(value);
  } else if constexpr (WholeNumber<T>) {
    return json_unsigned(value);
  } else if constexpr (std::same_as<T, Duration>) {
    return json_nanoseconds(value.count(), "infinity");
  } else if constexpr (std::same_as<T, Instant>) {
    return json_nanoseconds(value.time_since_epoch().count(), "never");
  } else if constexpr (std::same_as<T, std::chrono::system_clock::time_point>) {
    return json_signed(std::chrono::nanoseconds(value.time_since_epoch()).count());
  } else if constexpr (std::is_enum_v<T>) {
    return json_text(state_word(value));
  } else if constexpr (is_id<T>) {
    return json_unsigned(value.value);
  } else if constexpr (is_optional<T>) {
    return value ? write(*value, place) : Json(nullptr);
  } else if constexpr (is_sequence<T> || is_array<T> || is_set<T> || is_map<T>) {
    return write_all(value, place);
  } else if constexpr (is_pair<T>) {
    Json first = write(value.first, StatePlace(place, std::size_t{0}));
    return json_pair(std::move(first), write(value.second, StatePlace(place, std::size_t{1})));
  } else {
    static_assert(is_unknown<T>, "no kind of value: name its members, in a Members<T>");
  }
}

template <class Values>
Json JsonWriter::write_all(const Values& values, const StatePlace& place) {
  std::vector<Json> array;
  for (const auto& v : values) {
    const StatePlace here(place, array.size());
    if constexpr (std::same_as<typename Values::value_type, bool>) {
      array.push_back(json_bool(v));
    } else if constexpr (is_map<Values>) {
      Json key = write(v.first, here);
      array.push_back(json_pair(std::move(key), write(v.second, here)));
    } else {
      array.push_back(write(v, here));
    }
  }
  return json_array_of(std::move(array));
}

template <class Value>
void JsonWriter::note(std::vector<StateDescriptor>& list, const Value& value, const StatePlace& place) {
  if constexpr (std::same_as<Value, int>) {
    if (value >= 0) list.push_back({place.text(), value});
  } else if constexpr (is_optional<Value>) {
    if (value) note(list, *value, place);
  } else {
    std::size_t index = 0;
    for (const auto& v : value) {
      const StatePlace here(place, index++);
      if constexpr (is_map<Value>) {
        note(list, v.second, here);
      } else {
        note(list, v, here);
      }
    }
  }
}

template <class T, class Value, bool has_need>
void JsonWriter::write_member(Json& object, const T& from, const Named<T, Value, has_need>& m,
                              const StatePlace& place) {
  Json value = write(from.*m.at, StatePlace(place, m.name));
  if constexpr (has_need) {
    if (value != JsonWriter().write(made<T>().*m.at, place)) needs_.emplace(m.need);
  }
  add_member(object, m.name, std::move(value));
}

template <class T, class Kind>
void JsonWriter::write_member(Json& object, const T& from, const Worded<T, Kind>& m, const StatePlace&) {
  const std::string_view word = state_word(from.*m.at);
  add_member(object, m.name, json_text(word.empty() ? from.*m.other_word : word));
}

template <class T, class Value>
void JsonWriter::write_member(Json& object, const T& from, const Carried<T, Value>& m,
                              const StatePlace& place) {
  note(carried_, from.*m.at, StatePlace(place, m.name));
  add_member(object, m.name, write(from.*m.at, place));
}

template <class T, class Value>
void JsonWriter::write_member(Json& object, const T& from, const Borrowed<T, Value>& m,
                              const StatePlace& place) {
  note(borrowed_, from.*m.at, StatePlace(place, m.name));
  add_member(object, m.name, write(from.*m.at, place));
}

}  // namespace graced
