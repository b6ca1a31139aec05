// All that is wrong with what was said, told in the order it was said in: on the command line, then in the
// environment, then in the file.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "options/usage_error.h"

namespace graced {

// Where a value was said, by its number among words, variables or lines.
struct Place {
  enum class Layer { command_line, environment, file, nowhere };
  Layer layer = Layer::nowhere;
  unsigned number = 0;

  friend auto operator<=>(const Place&, const Place&) = default;
};

class Complaints {
 public:
  enum class Kind { usage, machine };  // it is wrong anywhere, or cannot be had here

  // Of one place those that were added first come first.
  void add(Place place, std::string line, Kind kind = Kind::usage);
  void add(Place place, const UsageError& error);

  bool none() const { return complaints_.empty(); }
  bool any_of(Kind kind) const;
  std::vector<std::string> lines() const;
  void throw_if_any() const;  // UsageError

 private:
  struct Complaint {
    Place place;
    std::string line;
    Kind kind;
  };
  std::vector<Complaint> complaints_;
};

}  // namespace graced
