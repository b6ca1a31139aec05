// Why a state cannot be read: one line for people, which names the place in it and what is wrong there.
#pragma once

#include <stdexcept>

namespace graced {

struct StateError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace graced
