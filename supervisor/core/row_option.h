// An option behind a value, as in 8080,backlog=64: it is found in a table whose rows have a `name`, whether it
// `needs_value`, and what will `set` it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "core/bad_value.h"
#include "core/suggest.h"

namespace graced {

// remark: what else may be meant. Throws std::invalid_argument with one line where there is no such row.
template <class Rows>
const auto& find_option(const Rows& rows, std::string_view name, std::string_view remark = "") {
  const auto row = std::ranges::find_if(rows, [&](const auto& each) { return each.name == name; });
  if (row != rows.end()) return *row;
  std::vector<std::string_view> known;
  for (const auto& each : rows) known.push_back(each.name);
  throw bad("unknown option '{}'{}{}", name,
            did_you_mean(name, known, fmt::format(", it is one of {}", fmt::join(known, ", "))), remark);
}

// Without a value it is "yes". Throws std::invalid_argument with one line that names the option.
template <class Row, class Spec>
void set_option(const Row& row, Spec& spec, std::optional<std::string_view> value) {
  if (row.needs_value && !value) throw bad("option '{}' needs a value, as in {}=…", row.name, row.name);
  try {
    row.set(spec, value.value_or("yes"));
  } catch (const std::invalid_argument& why) { throw bad("option '{}': {}", row.name, why.what()); }
}

}  // namespace graced
