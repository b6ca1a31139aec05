#include "state/json_writer.h"

#include <fmt/format.h>

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
  std::string hex;
  hex.reserve(2 * text.size());
  for (const char c : text) fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(c));
  return {{"hex", std::move(hex)}};
}

}  // namespace graced
