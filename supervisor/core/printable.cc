// What may go to a terminal as it is, and what must be spelled out.
#include "core/printable.h"

#include <fmt/format.h>

#include <iterator>

#include "core/utf8.h"

namespace graced {
namespace {

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
    const Decoded next = decode_utf8(text);
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
