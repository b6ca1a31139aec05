// The `opt=value` half of a --listen: which options there are, what fits which address, what values
// they take.
#pragma once

#include <optional>
#include <string_view>

#include "core/listen_spec.h"

namespace graced {

// Sets one option of an address that is read already. No value at all means yes, where that can be
// meant. Throws std::invalid_argument with one line naming option and way out.
void read_listen_option(ListenSpec& spec, std::string_view name, std::optional<std::string_view> value);

// LISTEN_FDNAMES separates by ':' and is read by eye: printable ASCII without it.
bool fits_in_listen_name(char c);

}  // namespace graced
