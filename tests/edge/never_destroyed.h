// As after an exec: what the image before had is never destroyed.
#pragma once

#include <utility>
#include <vector>

namespace graced {

// What `object` owns, for LeakSanitizer is somebody's.
template <class T>
T& never_destroyed(T* object) {
  static auto& all = *new std::vector<T*>;
  all.push_back(object);
  return *object;
}

template <class T>
T& never_destroyed(T object) {
  return never_destroyed(new T(std::move(object)));
}

// The one before, which ends by an exec.
template <class T, class... Arguments>
T& before(Arguments&&... arguments) {
  return never_destroyed(new T(std::forward<Arguments>(arguments)...));
}

}  // namespace graced
