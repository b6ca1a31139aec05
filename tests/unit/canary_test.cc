// --canary, as it is typed.
#include "core/canary.h"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace graced;

namespace {

std::string refused(std::string_view text) {
  try {
    parse_canary(text);
  } catch (const std::invalid_argument& why) { return why.what(); }
  return "";
}

}  // namespace

TEST_CASE("steps are read, and written as they were") {
  const auto steps = parse_canary("0.5%/250ms,5%/30s,25%/2min,99.9%/1h");
  REQUIRE(steps.size() == 4);
  CHECK(steps[0] == CanaryStep{5, 250ms});
  CHECK(steps[1] == CanaryStep{50, 30s});
  CHECK(steps[3] == CanaryStep{999, 1h});
  CHECK(canary_text(steps) == "0.5%/250ms,5%/30s,25%/2min,99.9%/1h");
}

TEST_CASE("what is no canary is refused with a word why") {
  CHECK(refused("") == "'' is no step: SHARE/TIME, as in 5%/30s or 5%/30s,25%/2min");
  CHECK(refused("5%") == "'5%' is no step: SHARE/TIME, as in 5%/30s or 5%/30s,25%/2min");
  CHECK(refused("5%/30s,") == "'' is no step: SHARE/TIME, as in 5%/30s or 5%/30s,25%/2min");
  CHECK(refused("5/30s") == "'5' is no share, as in 5% or 0.5%");
  CHECK(refused("-5%/30s") == "'-5%' is no share, as in 5% or 0.5%");
  CHECK(refused("5.55%/30s") == "'5.55%' is no share, as in 5% or 0.5%");
  CHECK(refused("100%/30s") == "a share of 100% is all of them, which it gets after the last step");
  CHECK(refused("0%/30s") == "a share of 0% is none: the least is 0.1%");
  CHECK(refused("25%/30s,5%/1min") == "shares must rise, and 5% follows 25%");
  CHECK(refused("5%/30s,5%/1min") == "shares must rise, and 5% follows 5%");
  CHECK(refused("5%/infinity") == "'5%/infinity': infinity is no time for a step, as in 30s or 2min");
  CHECK(refused("5%/0") == "'5%/0': 0 is no time for a step, as in 30s or 2min");
  CHECK(refused("5%/") == "'5%/': nothing is no time for a step, as in 30s or 2min");
  CHECK(refused("5%/soon") == "'5%/soon': soon is no time for a step, as in 30s or 2min");
}
