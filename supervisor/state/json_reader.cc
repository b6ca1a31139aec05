#include "state/json_reader.h"

#include <fmt/format.h>

#include <limits>

#include "core/number.h"
#include "core/printable.h"
#include "core/utf8.h"

namespace graced {

namespace {

std::string from_hex(std::string_view hex, const StatePlace& place) {
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    const auto byte = parse_number<unsigned char>(hex.substr(at, 2), 0, 255, 16);
    if (!byte || hex.size() - at < 2) throw place.error("has a byte that is not two hexadecimal digits");
    bytes += static_cast<char>(*byte);
  }
  return bytes;
}

// One with a fraction, or beyond 64 bits, is none.
void must_be_whole(const Json& from, const StatePlace& place) {
  if (from.is_number_integer()) return;
  throw place.error(from.is_number() ? fmt::format("{} is no whole number of 64 bits", from.dump())
                                     : fmt::format("is no number, but of type {}", from.type_name()));
}

}  // namespace

std::string state_text_shown(std::string_view text) {
  constexpr std::size_t most = 60;
  const std::string_view beginning = beginning_of(text, most);
  return printable(beginning) + (beginning.size() < text.size() ? "…" : "");
}

const Json& read_object(const Json& from, const StatePlace& place) {
  if (!from.is_object()) throw place.error(fmt::format("is no object, but of type {}", from.type_name()));
  return from;
}

const std::vector<Json>& read_array(const Json& from, const StatePlace& place) {
  if (!from.is_array()) throw place.error(fmt::format("is no array, but of type {}", from.type_name()));
  return from.get_ref<const Json::array_t&>();
}

const std::vector<Json>& read_array(const Json& from, std::size_t size, const StatePlace& place) {
  const std::vector<Json>& array = read_array(from, place);
  if (array.size() != size) throw place.error(fmt::format("has {} of {} values", array.size(), size));
  return array;
}

const std::vector<Json>& read_pair_of(const Json& from, const StatePlace& place) {
  const std::vector<Json>& pair = read_array(from, place);
  if (pair.size() != 2) throw place.error("is no pair");
  return pair;
}

const Json* member_of(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string read_text(const Json& from, const StatePlace& place) {
  if (from.is_string()) return from.get_ref<const std::string&>();
  if (from.is_object()) {
    const auto hex = from.find("hex");
    if (hex != from.end() && hex->is_string()) return from_hex(hex->get_ref<const std::string&>(), place);
  }
  throw place.error(fmt::format("is no text, but of type {}", from.type_name()));
}

bool read_bool(const Json& from, const StatePlace& place) {
  if (!from.is_boolean())
    throw place.error(fmt::format("is neither true nor false, but of type {}", from.type_name()));
  return from.get<bool>();
}

std::int64_t read_signed(const Json& from, std::int64_t min, std::int64_t max, const StatePlace& place) {
  must_be_whole(from, place);
  const bool too_large =
      from.is_number_unsigned() && from.get<std::uint64_t>() > static_cast<std::uint64_t>(max);
  if (too_large || from.get<std::int64_t>() < min)
    throw place.error(fmt::format("{} is not between {} and {}", from.dump(), min, max));
  return from.get<std::int64_t>();
}

std::uint64_t read_unsigned(const Json& from, std::uint64_t max, const StatePlace& place) {
  must_be_whole(from, place);
  if (!from.is_number_unsigned() || from.get<std::uint64_t>() > max)
    throw place.error(fmt::format("{} is not between 0 and {}", from.dump(), max));
  return from.get<std::uint64_t>();
}

std::int64_t read_nanoseconds(const Json& from, std::string_view endless, const StatePlace& place) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if (!from.is_string()) return read_signed(from, 0, most, place);
  if (from.get_ref<const std::string&>() != endless)
    throw no_such_word(from.get_ref<const std::string&>(), {endless}, place);
  return most;
}

StateError no_such_word(std::string_view word, const std::vector<std::string_view>& words,
                        const StatePlace& place) {
  return place.error(fmt::format("'{}' is no word that this version knows, which are {}",
                                 state_text_shown(word), fmt::join(words, ", ")));
}

}  // namespace graced
