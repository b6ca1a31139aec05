#include "state/json_writer.h"

#include <limits>

#include "core/hex.h"
#include "core/utf8.h"

namespace graced {

namespace {

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = decode_utf8(text).length;
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

Json json_text(std::string_view text) {
  if (is_utf8(text)) return text;
  return {{"hex", in_hex(text)}};
}

Json json_bool(bool value) {
  return value;
}

Json json_signed(std::int64_t value) {
  return value;
}

Json json_unsigned(std::uint64_t value) {
  return value;
}

Json json_nanoseconds(std::int64_t value, std::string_view endless) {
  return value == std::numeric_limits<std::int64_t>::max() ? Json(endless) : Json(value);
}

Json json_pair(Json first, Json second) {
  return Json::array({std::move(first), std::move(second)});
}

Json json_array_of(std::vector<Json> values) {
  return values;
}

void add_member(Json& object, std::string_view name, Json value) {
  object.emplace(name, std::move(value));
}

}  // namespace graced
