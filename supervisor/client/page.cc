// What is not coloured has no escape in it, and no line ends with blanks.
#include "client/page.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/columns.h"
#include "core/printable.h"

namespace graced {
namespace {

std::string_view code(Paint paint) {
  switch (paint) {
    case Paint::plain:
      return "";
    case Paint::bold:
      return "\x1b[1m";
    case Paint::dim:
      return "\x1b[2m";
    case Paint::green:
      return "\x1b[32m";
    case Paint::yellow:
      return "\x1b[33m";
    case Paint::red:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

Paint paint_of_phase(std::string_view phase) {
  if (phase == "serving") return Paint::green;
  return phase == "stopping" || phase == "down" ? Paint::red : Paint::yellow;
}

std::string one_cell(std::string_view text) {
  std::string shown = printable(text);
  std::ranges::replace(shown, '\t', ' ');
  return shown;
}

std::string Page::painted(std::string_view text, Paint paint) const {
  if (!colour_ || paint == Paint::plain || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", code(paint), text);
}

void Page::line(std::string_view text) {
  text_ += fmt::format("{}\n", text);
}

void Page::entry(std::string_view label, std::string_view value) {
  line(
      fmt::format("  {}{}{}", painted(label, Paint::dim), std::string(label_width - label.size(), ' '), value));
}

void Page::table(std::string_view indent, const std::vector<std::vector<Cell>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i].text));
  }
  for (const auto& row : rows) {
    std::string out{indent};
    std::string gap;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const Cell& cell = row[i];
      const std::string fill(widths[i] - columns_of(cell.text), ' ');
      if (cell.text.empty()) {  // nothing is written behind the last word of a line
        gap += fill + "  ";
        continue;
      }
      out += gap + (cell.right ? fill : "") + painted(cell.text, cell.paint);
      gap = (cell.right ? "" : fill) + "  ";
    }
    line(out);
  }
}

}  // namespace graced
