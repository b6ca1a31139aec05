// Lines for people: entries and tables, aligned by the columns of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graced {

enum class Paint { plain, bold, dim, green, yellow, red };

Paint paint_of_phase(std::string_view phase);

// As printable(), without tabs: one would put what follows somewhere else.
std::string one_cell(std::string_view text);

struct Cell {
  std::string text;
  Paint paint = Paint::plain;
  bool right = false;  // numbers
};

class Page {
 public:
  explicit Page(bool colour) : colour_(colour) {}

  std::string painted(std::string_view text, Paint) const;
  void line(std::string_view text);
  // "  label      value", further values of the same label under the first.
  void entry(std::string_view label, std::string_view value);
  void table(std::string_view indent, const std::vector<std::vector<Cell>>& rows);
  void block(std::string_view text) { text_ += text; }
  std::string text() && { return std::move(text_); }

  static constexpr std::size_t label_width = 13;

 private:
  bool colour_;
  std::string text_;
};

}  // namespace graced
