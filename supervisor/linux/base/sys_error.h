// errno with the thing in the sentence: throw sys_error("bind {}", address).
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace graced {

// Reads errno first, so call it right after the call that set it.
template <class... Args>
std::system_error sys_error(fmt::format_string<Args...> what, Args&&... args) {
  const int code = errno;
  return {code, std::generic_category(), fmt::format(what, std::forward<Args>(args)...)};
}

// The same for an errno that came as a value (sd-* calls return it negated).
template <class... Args>
std::system_error sys_error_of(int code, fmt::format_string<Args...> what, Args&&... args) {
  return {code < 0 ? -code : code, std::generic_category(), fmt::format(what, std::forward<Args>(args)...)};
}

}  // namespace graced
