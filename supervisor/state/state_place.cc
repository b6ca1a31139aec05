#include "state/state_place.h"

#include <fmt/format.h>

namespace graced {

std::string StatePlace::text() const {
  if (!above_) return std::string(name_);
  return name_.empty() ? fmt::format("{}[{}]", above_->text(), index_)
                       : fmt::format("{}.{}", above_->text(), name_);
}

StateError StatePlace::error(std::string_view what) const {
  return StateError{fmt::format("{}: {}", text(), what)};
}

}  // namespace graced
