// What may go to a terminal as it is, and what must be spelled out.
#include "core/printable.h"

#include <fmt/format.h>

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

std::string take_printable(std::string_view& text) {
  const Decoded next = decode_utf8(text);
  const std::string_view bytes = text.substr(0, next.length == 0 ? 1 : next.length);
  text.remove_prefix(bytes.size());
  if (next.length == 0) return fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[0]));
  if (harmless(next.character)) return std::string(bytes);
  if (next.character == '\n') return "\\n";
  if (next.character == '\r') return "\\r";
  if (next.character < 0x80) return fmt::format("\\x{:02x}", static_cast<unsigned>(next.character));
  return fmt::format("\\u{:04x}", static_cast<unsigned>(next.character));
}

std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) shown += take_printable(text);
  return shown;
}

}  // namespace graced
