// What may go to a terminal as it is, and what must be spelled out.
#include "core/printable.h"

#include <fmt/format.h>

#include <iterator>

namespace graced {
namespace {

struct Decoded {
  char32_t character;
  std::size_t length;  // 0: not UTF-8
};

// Strict: no overlong forms, no surrogates, nothing beyond U+10FFFF.
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {0, 0};

  char32_t character = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    character = character << 6 | (byte(i) & 0x3fu);
  }
  const bool overlong = (length == 3 && character < 0x800) || (length == 4 && character < 0x10000);
  const bool surrogate = character >= 0xd800 && character <= 0xdfff;
  if (overlong || surrogate || character > 0x10ffff) return {0, 0};
  return {character, length};
}

bool harmless(char32_t c) {
  if (c == '\t') return true;
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool line_break = c == 0x2028 || c == 0x2029;
  const bool reorders =
      c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return !control && !line_break && !reorders;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::size_t length = next.length == 0 ? 1 : next.length;
    if (next.length == 0) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (harmless(next.character)) {
      shown += text.substr(0, length);
    } else if (next.character == '\n') {
      shown += "\\n";
    } else if (next.character == '\r') {
      shown += "\\r";
    } else if (next.character < 0x80) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned>(next.character));
    } else {
      shown += fmt::format("\\u{:04x}", static_cast<unsigned>(next.character));
    }
    text.remove_prefix(length);
  }
  return shown;
}

}  // namespace graced
