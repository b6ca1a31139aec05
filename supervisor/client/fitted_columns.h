// A table on a terminal that may be too narrow for it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/page.h"

namespace graced {

struct FittedColumn {
  std::string heading;
  bool right = false;         // numbers
  unsigned goes = 0;          // where there is no room: 1 is the first to go; 0: it stays
  bool free = false;          // text, which can be shortened
  bool optional = false;      // it is not there where nobody has anything in it
  std::size_t least = 0;      // columns of the terminal that it has in any case, so that it keeps still
  std::vector<Cell> cells{};  // one for each row
};

// The rows, the headings first, of those columns that have room within `width`; 0: there is room for all.
std::vector<std::vector<Cell>> fit_columns(std::vector<FittedColumn> columns, std::size_t width);

}  // namespace graced
