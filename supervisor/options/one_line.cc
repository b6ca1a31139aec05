// The characters are core/printable's; what is too long is cut between two of them.
#include "options/one_line.h"

#include "core/printable.h"

namespace graced {

std::string one_line(std::string_view text, std::size_t longest) {
  const auto last = text.find_last_not_of(" \t\r\n");
  text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);

  std::string line;
  while (!text.empty()) {
    if (line.size() >= longest) return line + "…";
    // A tab would move the columns of a table.
    const std::string character = take_printable(text);
    line += character == "\t" ? "\\t" : character;
  }
  return line;
}

}  // namespace graced
