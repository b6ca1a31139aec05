// The directory that graced was started in, and how it is found again.
#pragma once

#include <string>
#include <utility>

#include "linux/base/fd.h"

namespace graced {

class StartingPlace {
 public:
  // pwd: $PWD, which a shell sets to the name by which it came, with symbolic links. The name is used if it
  // leads to the directory that graced is in.
  explicit StartingPlace(const std::string& pwd);

  // What another image of this process takes over, see linux/upgrade; the descriptor is borrowed until it does.
  struct Kept {
    std::string name;
    int fd = -1;  // -1: none
  };
  Kept kept() const { return {name_, own_.get()}; }
  explicit StartingPlace(Kept kept) : own_(kept.fd), name_(std::move(kept.name)) {}

  // Empty where graced may not look into its own directory; then that is where workers begin.
  const Fd& own() const { return own_; }

  // What the name leads to now; the same place as ever if there is none. Throws std::system_error.
  Fd again() const;

  // Makes it the directory that this process is in. One that cannot go there is in / then, where no relative
  // name leads to what was meant.
  void enter() const noexcept;

  // To show.
  std::string shown() const { return name_.empty() ? "." : name_; }

 private:
  Fd own_;
  std::string name_;
};

}  // namespace graced
