// A limit that is there must be one that can be met.
#include "core/start_limit.h"

#include <doctest/doctest.h>

#include "supervisor_story.h"

namespace graced {

TEST_CASE("by default a worker that exits as soon as it is started makes graced give up") {
  CHECK(start_limit_can_be_reached(Policy{}));

  // As the core does it.
  Story s = serving();
  for (int exits = 0; exits < 100 && none<Finished>(s.last); ++exits) {
    s.exits(s.newest());
    if (s.phase() == "finished") break;
    s.passes(s.supervisor.next_deadline() - s.now);
  }
  CHECK(the<Finished>(s.last).exit_status == 1);
}

TEST_CASE("a limit of more exits than the delays leave room for is never reached") {
  CHECK_FALSE(start_limit_can_be_reached(Policy{.start_limit = 10, .start_limit_window = 60s}));
  CHECK(start_limit_can_be_reached(Policy{.start_limit = 9, .start_limit_window = 60s}));
  CHECK_FALSE(start_limit_can_be_reached(Policy{.restart_delay = infinity}));
  CHECK_FALSE(start_limit_can_be_reached(Policy{.start_limit_window = 0s}));
  CHECK_FALSE(start_limit_can_be_reached(
      Policy{.restart_delay = 10s, .restart_delay_limit = 30s, .start_limit = 3, .start_limit_window = 30s}));
  CHECK(
      start_limit_can_be_reached(Policy{.restart_delay = 0s, .restart_delay_limit = 0s, .start_limit = 1000}));
}

TEST_CASE("several workers reach it sooner") {
  CHECK(start_limit_can_be_reached(Policy{.workers = 2, .start_limit = 10, .start_limit_window = 60s}));
  CHECK(start_limit_can_be_reached(Policy{.workers = 11, .restart_delay = infinity}));
}

}  // namespace graced
