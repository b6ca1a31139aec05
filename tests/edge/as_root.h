// For tests of which all or the rest takes root.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

namespace graced {

// False, and says so, where it cannot be had: if (!as_root("to become another user")) return;
inline bool as_root(const std::string& what) {
  if (::geteuid() == 0) return true;
  MESSAGE("skipped: ", what, " takes root");
  return false;
}

}  // namespace graced
