// Where in a state something stands, to be named.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "state/state_error.h"

namespace graced {

// Within the one above, which outlives it.
class StatePlace {
 public:
  explicit StatePlace(std::string_view name) : name_(name) {}
  StatePlace(const StatePlace& above, std::string_view name) : above_(&above), name_(name) {}
  StatePlace(const StatePlace& above, std::size_t index) : above_(&above), index_(index) {}

  std::string text() const;  // "core.workers[2].slot"
  StateError error(std::string_view what) const;

 private:
  const StatePlace* above_ = nullptr;
  std::string_view name_{};  // empty: it has an index
  std::size_t index_ = 0;
};

}  // namespace graced
