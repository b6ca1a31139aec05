// What `graced check` says of the course of a reload.
#include "daemon/reload_view.h"

#include <doctest/doctest.h>

using namespace graced;

TEST_CASE("the course of a reload is told in a sentence, if it has more than a switch") {
  RunOptions options;
  options.check = {"true"};
  CHECK(reload_text(options) == "");
  options.policy.probation = 10min;
  CHECK(reload_text(options) == "A reload: check, then it serves, then probation for 10min.\n");
  options.policy.probes = {{.what = "tcp://:25"}};
  options.policy.canary = {{50, 30s}, {250, 2min}};
  CHECK(reload_text(options) ==
        "A reload: check, then probe, then 5% of new connections for 30s, then 25% for 2min, then all of them, "
        "then "
        "probation for 10min.\n");
  options.policy.gated = true;
  options.policy.probation = 0s;
  options.policy.probes.push_back({.what = "tcp://:26"});
  CHECK(reload_text(options) ==
        "A reload: check, then 2 probes, then 5% of new connections for 30s and the gate, then 25% for 2min "
        "and the "
        "gate, then all of them.\n");
}
