// As after an upgrade: what was carried of an object is an object again, and the one before was never
// destroyed.
#pragma once

#include <utility>

#include "kept/steering_members.h"
#include "never_destroyed.h"
#include "through_state.h"

namespace graced {

template <class T>
void take_over(T& object) {
  object = T(through_state(never_destroyed(std::move(object)).kept()));
}

}  // namespace graced
