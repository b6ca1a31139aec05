// Where moments lie on a line on which both a stage of a second and a generation of a week can be seen: the
// room between two moments at which something changes grows with the logarithm of the time between them.
#pragma once

#include <vector>

#include "core/time.h"

namespace graced {

class TimeAxis {
 public:
  // In any order; may be empty.
  explicit TimeAxis(std::vector<Instant> moments);

  // 0 to 100, of one of those moments.
  double at(Instant moment) const;

  // Of those moments, some that lie at least so far from each other (of 100), and from the last one.
  std::vector<Instant> labels(double apart) const;

 private:
  std::vector<Instant> moments_;  // in their order, each once
  std::vector<double> places_;
};

}  // namespace graced
