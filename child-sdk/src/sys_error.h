// errno with the thing in the sentence: throw sys_error("bind " + address).
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace graced::child {

inline std::system_error sys_error_of(int code, const std::string& what) {
  return {code, std::generic_category(), what};
}

// The argument is built before errno is read, but std::string keeps errno on success.
inline std::system_error sys_error(const std::string& what) {
  return sys_error_of(errno, what);
}

}  // namespace graced::child
