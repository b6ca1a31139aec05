#include "core/made_anew.h"

#include <doctest/doctest.h>

using namespace graced;

TEST_CASE("names with a part that was drawn at random are known for such") {
  for (const auto& [one, other] : {
           std::pair{"/tmp/h2o.XkZ3ab/sock", "/tmp/h2o.p9QwRt/sock"},  // mkdtemp(3)
           std::pair{"/tmp/tmpk3j_2x9a/s", "/tmp/tmp8sd7f_1q/s"},      // Python's tempfile
           std::pair{"/tmp/pymp-1a2b3c4d/listener-9z8y7x6w", "/tmp/pymp-q0w9e8r7/listener-a1s2d3f4"},
           std::pair{"@550e8400-e29b-41d4-a716-446655440000", "@f47ac10b-58cc-4372-a567-0e02b2c3d479"},
       }) {
    CAPTURE(one);
    CHECK(differ_at_random(one, other));
    CHECK(differ_at_random(other, one));
  }
}

TEST_CASE("other names that differ are two addresses") {
  for (const auto& [one, other] : {
           std::pair{"/run/a.sock", "/run/b.sock"},
           std::pair{"/run/app-blue.sock", "/run/app-green.sock"},
           std::pair{"/run/server.sock", "/run/sample.sock"},
           std::pair{"/run/app-20240101.sock", "/run/app-20251231.sock"},
           std::pair{"/run/worker1.sock", "/run/worker2.sock"},
           std::pair{"/run/4711.sock", "/run/4712.sock"},
           std::pair{"/tmp/h2o.XkZ3ab/sock", "/tmp/h2o.p9QwRt/admin"},
           std::pair{"/tmp/h2o.XkZ3ab/sock", "/run/h2o.p9QwRt/sock"},
           std::pair{"/tmp/h2o.XkZ3ab/sock", "/tmp/h2o.p9QwRt"},
           std::pair{"/tmp/h2o.XkZ3ab", "/tmp/h2o.p9QwRtx"},
           std::pair{"/run/a.sock", "/run/a.sock"},
           std::pair{"", ""},
       }) {
    CAPTURE(one);
    CAPTURE(other);
    CHECK_FALSE(differ_at_random(one, other));
  }
}

TEST_CASE("a process's own number in a name is no part of the name") {
  CHECK(without_pids("/run/a.123.sock", {123, 7}) == "/run/a.{pid}.sock");
  CHECK(without_pids("/run/a123-7/12", {123, 7}) == "/run/a{pid}-{pid}/12");
  CHECK(without_pids("/run/a.1234.sock", {123}) == "/run/a.1234.sock");
  CHECK(without_pids("/run/a.0123.sock", {123}) == "/run/a.0123.sock");
  CHECK(without_pids("", {1}) == "");
}
