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
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "json/json_value.h"
#include "state/kinds.h"
#include "state/members.h"
#include "state/state_place.h"
#include "state/words.h"

namespace graced {

Json json_text(std::string_view text);

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
  template <class T, class Value>
  void write_member(Json& object, const T& from, const Named<T, Value>& m, const StatePlace& place);
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
    return value ? write(*value, place) : Json(nullptr);
  } else if constexpr (is_sequence<T> || is_array<T> || is_set<T> || is_map<T>) {
    return write_all(value, place);
  } else if constexpr (is_pair<T>) {
    return Json::array({write(value.first, StatePlace(place, std::size_t{0})),
                        write(value.second, StatePlace(place, std::size_t{1}))});
  } else {
    static_assert(is_unknown<T>, "no kind of value: name its members, in a Members<T>");
  }
}

template <class Values>
Json JsonWriter::write_all(const Values& values, const StatePlace& place) {
  Json array = Json::array();
  for (const auto& v : values) {
    const StatePlace here(place, array.size());
    if constexpr (std::same_as<typename Values::value_type, bool>) {
      array.push_back(static_cast<bool>(v));
    } else if constexpr (is_map<Values>) {
      array.push_back(Json::array({write(v.first, here), write(v.second, here)}));
    } else {
      array.push_back(write(v, here));
    }
  }
  return array;
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

template <class T, class Value>
void JsonWriter::write_member(Json& object, const T& from, const Named<T, Value>& m, const StatePlace& place) {
  Json value = write(from.*m.at, StatePlace(place, m.name));
  if (!m.need.empty() && value != JsonWriter().write(made<T>().*m.at, place)) needs_.emplace(m.need);
  object.emplace(std::string_view(m.name), std::move(value));
}

template <class T, class Kind>
void JsonWriter::write_member(Json& object, const T& from, const Worded<T, Kind>& m, const StatePlace&) {
  const std::string_view word = state_word(from.*m.at);
  object.emplace(std::string_view(m.name), json_text(word.empty() ? from.*m.other_word : word));
}

template <class T, class Value>
void JsonWriter::write_member(Json& object, const T& from, const Carried<T, Value>& m,
                              const StatePlace& place) {
  note(carried_, from.*m.at, StatePlace(place, m.name));
  object.emplace(std::string_view(m.name), write(from.*m.at, place));
}

template <class T, class Value>
void JsonWriter::write_member(Json& object, const T& from, const Borrowed<T, Value>& m,
                              const StatePlace& place) {
  note(borrowed_, from.*m.at, StatePlace(place, m.name));
  object.emplace(std::string_view(m.name), write(from.*m.at, place));
}

}  // namespace graced
