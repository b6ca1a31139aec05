// What would break a line or a terminal is escaped, and what is too long is cut.
#include "options/one_line.h"

#include <fmt/format.h>

namespace graced {

std::string one_line(std::string_view text, std::size_t longest) {
  const auto last = text.find_last_not_of(" \t\r\n");
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);

  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    // Not in the middle of a UTF-8 character: its later bytes all begin with the bits 10.
    if (line.size() >= longest && (byte & 0xc0) != 0x80) return line + "…";
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\t') {
      line += "\\t";
    } else if (byte < ' ' || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace graced
