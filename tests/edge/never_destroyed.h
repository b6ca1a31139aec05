// As after an exec: what the image before had is never destroyed.
#pragma once

#include <deque>
#include <utility>

namespace graced {

template <class T>
T& never_destroyed(T object) {
  static auto& all = *new std::deque<T>;
  return all.emplace_back(std::move(object));
}

}  // namespace graced
