// The directory that graced was started in, and how it is found again.
#pragma once

#include <string>

#include "linux/base/fd.h"

namespace graced {

class StartingPlace {
 public:
  // pwd: $PWD. A shell says there by which name it came, symbolic links and all; believed if that leads here.
  explicit StartingPlace(const std::string& pwd);

  // Empty where graced may not look into its own directory; then that is where workers begin.
  const Fd& own() const { return own_; }

  // What the name leads to now; the same place as ever if there is none. Throws std::system_error.
  Fd again() const;

 private:
  Fd own_;
  std::string name_;
};

}  // namespace graced
