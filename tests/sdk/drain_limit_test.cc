// How long a worker has to leave.
#include <doctest/doctest.h>

#include "graced/child.hpp"
#include "supervised.h"

namespace child = graced::child;
using namespace std::chrono_literals;

TEST_CASE("a worker knows how long it has to leave, with a little kept back for its own exit") {
  CHECK_FALSE(child::drain_limit());
  const Variable drain("GRACED_DRAIN_TIMEOUT", "60");
  CHECK(child::drain_limit() == 59s);
  SUBCASE("it cannot tell a reload from a stop, so the shorter one counts") {
    const Variable stop("GRACED_STOP_TIMEOUT", "0.5");
    CHECK(child::drain_limit() == 475ms);
  }
  SUBCASE("a limit that never comes is none") {
    const Variable stop("GRACED_STOP_TIMEOUT", "infinity");
    CHECK(child::drain_limit() == 59s);
    const Variable also("GRACED_DRAIN_TIMEOUT", "infinity");
    CHECK_FALSE(child::drain_limit());
  }
  SUBCASE("where it is told only at the end of an idle drain, that is what it has") {
    const Variable grace("GRACED_DRAIN_GRACE", "5");
    CHECK(child::drain_limit() == 4750ms);
    const Variable stop("GRACED_STOP_TIMEOUT", "8");
    CHECK(child::drain_limit() == 1900ms);
  }
  SUBCASE("no time at all is a limit too, nonsense is none") {
    const Variable stop("GRACED_STOP_TIMEOUT", "0");
    CHECK(child::drain_limit() == 0ms);
    for (const char* nonsense : {"", "soon", "-1", "5s", "nan", "1e300"}) {
      CAPTURE(nonsense);
      const Variable other("GRACED_STOP_TIMEOUT", nonsense);
      CHECK(child::drain_limit() == 59s);
    }
  }
}
