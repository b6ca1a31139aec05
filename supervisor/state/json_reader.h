// JSON as a described type; json_writer.h has the form of each value. Anything else throws a StateError that
// names the place, "core.workers[2].slot: …", and so does a number that its member cannot hold.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
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

// The beginning of a text from a state, safe to be shown.
std::string state_text_shown(std::string_view text);

// Each is there, and what it should be, or a StateError is thrown.
const Json& read_object(const Json& from, const StatePlace& place);
const std::vector<Json>& read_array(const Json& from, const StatePlace& place);
const std::vector<Json>& read_array(const Json& from, std::size_t size, const StatePlace& place);
const std::vector<Json>& read_pair_of(const Json& from, const StatePlace& place);
std::string read_text(const Json& from, const StatePlace& place);
bool read_bool(const Json& from, const StatePlace& place);
std::int64_t read_signed(const Json& from, std::int64_t min, std::int64_t max, const StatePlace& place);
std::uint64_t read_unsigned(const Json& from, std::uint64_t max, const StatePlace& place);
// endless: the word for the last one of them.
std::int64_t read_nanoseconds(const Json& from, std::string_view endless, const StatePlace& place);
const Json* member_of(const Json& object, std::string_view name);  // null: it has none
StateError no_such_word(std::string_view word, const std::vector<std::string_view>& words,
                        const StatePlace& place);

class JsonReader {
 public:
  // What is not written of it stays as it is. If this throws, the rest is of no use.
  template <class T>
  static void read(const Json& from, T& into, const StatePlace& place);

 private:
  // unwritten: a T that was just made, for what is missing.
  template <class T, class Value, bool has_need>
  static void read_member(const Json& object, T& into, const T& unwritten, const Named<T, Value, has_need>& m,
                          const StatePlace& place) {
    read_value(object, into, unwritten, m.name, m.at, place);
  }
  template <class T, class Kind>
  static void read_member(const Json& object, T& into, const T& unwritten, const Worded<T, Kind>& m,
                          const StatePlace& place);
  template <class T, class Value>
  static void read_member(const Json&, T&, const T&, const NotWritten<T, Value>&, const StatePlace&) {}
  template <class T, class Value>
  static void read_member(const Json& object, T& into, const T& unwritten, const Carried<T, Value>& m,
                          const StatePlace& place) {
    read_value(object, into, unwritten, m.name, m.at, place);
  }
  template <class T, class Value>
  static void read_member(const Json& object, T& into, const T& unwritten, const Borrowed<T, Value>& m,
                          const StatePlace& place) {
    read_value(object, into, unwritten, m.name, m.at, place);
  }
  template <class T, class Value>
  static void read_value(const Json& object, T& into, const T& unwritten, std::string_view name, Value T::*at,
                         const StatePlace& place);
  template <class T>
  static void check(T& value, const StatePlace& place);
  template <class Sequence>
  static void read_sequence(const Json& from, Sequence& into, const StatePlace& place);
  template <class Set>
  static void read_set(const Json& from, Set& into, const StatePlace& place);
  template <class Map>
  static void read_pairs(const Json& from, Map& into, const StatePlace& place);
  template <class Pair>
  static void read_pair(const Json& from, Pair& into, const StatePlace& place);
};

template <class T>
void JsonReader::read(const Json& from, T& into, const StatePlace& place) {
  if constexpr (Described<T>) {
    const Json& object = read_object(from, place);
    const T unwritten = made<T>();
    for_each_member<T>([&](const auto& m) { read_member(object, into, unwritten, m, place); });
    check(into, place);
  } else if constexpr (std::same_as<T, std::string>) {
    into = read_text(from, place);
  } else if constexpr (std::same_as<T, bool>) {
    into = read_bool(from, place);
  } else if constexpr (WholeNumber<T> && std::is_signed_v<T>) {
    into =
        static_cast<T>(read_signed(from, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), place));
  } else if constexpr (WholeNumber<T>) {
    into = static_cast<T>(read_unsigned(from, std::numeric_limits<T>::max(), place));
  } else if constexpr (std::same_as<T, Duration>) {
    into = Duration{read_nanoseconds(from, "infinity", place)};
  } else if constexpr (std::same_as<T, Instant>) {
    into = Instant{Duration{read_nanoseconds(from, "never", place)}};
  } else if constexpr (std::same_as<T, std::chrono::system_clock::time_point>) {
    into = T{std::chrono::duration_cast<typename T::duration>(
        std::chrono::nanoseconds(read_signed(from, 0, std::numeric_limits<std::int64_t>::max(), place)))};
  } else if constexpr (std::is_enum_v<T>) {
    const std::string word = read_text(from, place);
    const auto found = from_state_word<T>(word);
    if (!found) throw no_such_word(word, state_words<T>(), place);
    into = *found;
  } else if constexpr (is_id<T>) {
    into.value = read_unsigned(from, std::numeric_limits<std::uint64_t>::max(), place);
  } else if constexpr (is_optional<T>) {
    into.reset();
    if (!from.is_null()) read(from, into.emplace(made<typename T::value_type>()), place);
  } else if constexpr (is_sequence<T>) {
    read_sequence(from, into, place);
  } else if constexpr (is_array<T>) {
    const std::vector<Json>& values = read_array(from, into.size(), place);
    for (std::size_t i = 0; i < into.size(); ++i) read(values[i], into[i], StatePlace(place, i));
  } else if constexpr (is_set<T>) {
    read_set(from, into, place);
  } else if constexpr (is_map<T>) {
    read_pairs(from, into, place);
  } else if constexpr (is_pair<T>) {
    read_pair(from, into, place);
  } else {
    static_assert(is_unknown<T>, "no kind of value: name its members, in a Members<T>");
  }
}

template <class Sequence>
void JsonReader::read_sequence(const Json& from, Sequence& into, const StatePlace& place) {
  using Value = typename Sequence::value_type;
  into.clear();
  std::size_t index = 0;
  for (const Json& v : read_array(from, place)) {
    const StatePlace here(place, index++);
    if constexpr (std::same_as<Value, bool>) {
      into.push_back(read_bool(v, here));
    } else {
      read(v, into.emplace_back(made<Value>()), here);
    }
  }
}

template <class Set>
void JsonReader::read_set(const Json& from, Set& into, const StatePlace& place) {
  into.clear();
  std::size_t index = 0;
  for (const Json& v : read_array(from, place)) {
    const StatePlace here(place, index++);
    auto value = made<typename Set::value_type>();
    read(v, value, here);
    if (!into.insert(std::move(value)).second) throw here.error("is there for the second time");
  }
}

template <class Pair>
void JsonReader::read_pair(const Json& from, Pair& into, const StatePlace& place) {
  const std::vector<Json>& pair = read_pair_of(from, place);
  read(pair[0], into.first, StatePlace(place, std::size_t{0}));
  read(pair[1], into.second, StatePlace(place, std::size_t{1}));
}

template <class Map>
void JsonReader::read_pairs(const Json& from, Map& into, const StatePlace& place) {
  into.clear();
  std::size_t index = 0;
  for (const Json& entry : read_array(from, place)) {
    const StatePlace here(place, index++);
    const std::vector<Json>& pair = read_pair_of(entry, here);
    typename Map::key_type key{};
    read(pair[0], key, StatePlace(here, std::size_t{0}));
    const auto [at, is_new] = into.emplace(key, made<typename Map::mapped_type>());
    if (!is_new) throw here.error("is there for the second time");
    read(pair[1], at->second, StatePlace(here, std::size_t{1}));
  }
}

template <class T, class Value>
void JsonReader::read_value(const Json& object, T& into, const T& unwritten, std::string_view name,
                            Value T::*at, const StatePlace& place) {
  if (const Json* const found = member_of(object, name)) {
    read(*found, into.*at, StatePlace(place, name));
  } else {
    into.*at = unwritten.*at;
  }
}

template <class T, class Kind>
void JsonReader::read_member(const Json& object, T& into, const T& unwritten, const Worded<T, Kind>& m,
                             const StatePlace& place) {
  into.*m.at = unwritten.*m.at;
  (into.*m.other_word).clear();
  const Json* const found = member_of(object, m.name);
  if (!found) return;
  std::string word = read_text(*found, StatePlace(place, m.name));
  const auto known = from_state_word<Kind>(word);
  into.*m.at = known.value_or(Kind::other);
  if (!known) into.*m.other_word = std::move(word);
}

template <class T>
void JsonReader::check(T& value, const StatePlace& place) {
  if constexpr (requires { Members<T>::complete(value); }) Members<T>::complete(value);
  if constexpr (requires { Members<T>::flaw(value); }) {
    if (const auto flaw = Members<T>::flaw(value)) throw place.error(*flaw);
  }
}

}  // namespace graced
