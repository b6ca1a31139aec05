// Who a worker is, from the variables that graced sets.
#include <doctest/doctest.h>

#include "graced/child.hpp"
#include "supervised.h"

namespace child = graced::child;

TEST_CASE("a worker knows its generation, number and name") {
  const Variable generation("GRACED_GENERATION", "18446744073709551615");
  const Variable worker("GRACED_WORKER", "3");
  const Variable name("GRACED_NAME", "shop");
  CHECK(child::generation() == 18446744073709551615u);
  CHECK(child::worker_number() == 3);
  CHECK(child::name() == "shop");
}

TEST_CASE("without graced a worker is nobody in particular") {
  CHECK(child::generation() == 0);
  CHECK(child::worker_number() == 0);
  CHECK(child::name().empty());
}

TEST_CASE("a generation that is no number counts as none") {
  for (const char* text : {"", "x", "7x", "-1", "18446744073709551616"}) {
    const Variable generation("GRACED_GENERATION", text);
    CHECK(child::generation() == 0);
  }
}
