// What is shown: lines of text in pieces, before it is known what the terminal can do.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/page.h"

namespace graced {

struct Span {
  std::string text;  // printable, no tab
  Paint paint = Paint::plain;

  friend bool operator==(const Span&, const Span&) = default;
};

struct Line {
  std::vector<Span> spans{};
  bool chosen = false;

  friend bool operator==(const Line&, const Line&) = default;
};

Line line_of(std::string_view text, Paint paint = Paint::plain);
std::string text_of(const Line&);
std::size_t columns_of(const Line&);

// A text as client/page.h makes it: lines, coloured by its codes.
std::vector<Line> lines_of_page(std::string_view page);

// Rows of a table under their headings, aligned.
std::vector<Line> lines_of_table(const std::vector<std::vector<Cell>>& rows);

// In so many columns, 10 at least: what goes on is indented by `indent`, else a bit farther than the line is.
std::vector<Line> wrapped(const Line&, std::size_t columns, std::optional<std::size_t> indent = {});

// As much as there is room for; "…" at the end where that is not all.
Line cut(const Line&, std::size_t columns);

}  // namespace graced
