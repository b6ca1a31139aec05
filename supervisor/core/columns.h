// How wide a text is on a terminal, whatever the locale: who reads it has set that for the terminal, not for
// graced.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace graced {

// Of one line of UTF-8: characters of East Asia and most emoji take two columns, what combines with the
// character before it none. A byte that is no UTF-8 counts as one.
std::size_t columns_of(std::string_view text);

// As much of one line as has room in so many columns, one at least; where that is not all it ends with "…".
std::string shortened(std::string_view text, std::size_t columns);

}  // namespace graced
