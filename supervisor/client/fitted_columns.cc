#include "client/fitted_columns.h"

#include <algorithm>
#include <utility>

#include "core/columns.h"

namespace graced {
namespace {

constexpr std::size_t gap = 2;        // between columns
constexpr std::size_t readable = 16;  // free text is not shortened below this

std::size_t width_of(const FittedColumn& column) {
  std::size_t width = std::max(column.least, columns_of(column.heading));
  for (const Cell& cell : column.cells) width = std::max(width, columns_of(cell.text));
  return width;
}

std::size_t width_of(const std::vector<FittedColumn>& columns) {
  std::size_t width = 0;
  for (const FittedColumn& c : columns) width += width_of(c) + (width > 0 ? gap : 0);
  return width;
}

void shorten(FittedColumn& column, std::size_t width) {
  for (Cell& cell : column.cells) cell.text = shortened(cell.text, width);
}

void shorten_those_that_stay(std::vector<FittedColumn>& columns, std::size_t limit) {
  for (FittedColumn& c : columns) {
    const std::size_t width = width_of(columns);
    if (!c.free || width <= limit) continue;
    const std::size_t others = width - width_of(c);
    shorten(c, std::max(readable, limit - std::min(limit, others)));
  }
}

void fit(std::vector<FittedColumn>& columns, std::size_t limit) {
  while (width_of(columns) > limit) {
    const auto rank = [](const FittedColumn& c) { return c.goes == 0 ? ~0U : c.goes; };
    const auto first = std::ranges::min_element(columns, {}, rank);
    if (first == columns.end()) return;
    if (first->goes == 0) return shorten_those_that_stay(columns, limit);
    const std::size_t others = width_of(columns) - width_of(*first);
    if (first->free && limit >= others + readable) {
      shorten(*first, limit - others);
      return;
    }
    columns.erase(first);
  }
}

bool is_empty(const FittedColumn& column) {
  return std::ranges::all_of(column.cells, [](const Cell& c) { return c.text.empty(); });
}

}  // namespace

std::vector<std::vector<Cell>> fit_columns(std::vector<FittedColumn> columns, std::size_t width) {
  std::erase_if(columns, [](const FittedColumn& c) { return c.optional && is_empty(c); });
  if (width > 0) fit(columns, width);
  std::vector<std::vector<Cell>> rows(columns.empty() ? 0 : columns.front().cells.size() + 1);
  for (FittedColumn& c : columns) {
    const std::size_t least = std::max(c.least, columns_of(c.heading));
    c.heading.insert(c.right ? 0 : c.heading.size(), least - columns_of(c.heading), ' ');
    rows[0].push_back({std::move(c.heading), Paint::dim, c.right});
    for (std::size_t i = 0; i < c.cells.size(); ++i) {
      c.cells[i].right = c.right;
      rows[i + 1].push_back(std::move(c.cells[i]));
    }
  }
  return rows;
}

}  // namespace graced
