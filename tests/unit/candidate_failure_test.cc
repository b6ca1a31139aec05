#include "daemon/candidate_failure.h"

#include <doctest/doctest.h>

namespace graced {
namespace {

constexpr GenerationId second{2};
constexpr GenerationId third{3};

TEST_CASE("a failure is told with what was missing, who spoke in its place, and the last lines") {
  CandidateFailure failure;
  failure.begin(second);
  failure.note_last_words(second, {"cannot open", "giving up"});
  CHECK(failure.note_stranger("READY=1 came from PID 7 (sh)"));
  failure.failed("not ready within 5s", "nothing listens on 8080");

  CHECK(failure.line() == "not ready within 5s: nothing listens on 8080 (READY=1 came from PID 7 (sh))");
  CHECK(failure.in_full(second, "not ready within 5s") == failure.line() + "\ncannot open\ngiving up");
}

TEST_CASE("the details of a failure do not come with the same reason of another generation") {
  CandidateFailure failure;
  failure.begin(second);
  failure.failed("graced is stopping", "it was waited for");

  CHECK(failure.in_full(second, "graced is stopping") == "graced is stopping: it was waited for");
  CHECK(failure.in_full(third, "graced is stopping") == "graced is stopping");
  CHECK(failure.in_full(GenerationId{}, "graced is stopping") == "graced is stopping");
  CHECK(CandidateFailure().in_full(GenerationId{}, "stopped as asked") == "stopped as asked");
}

TEST_CASE("what was noticed of one candidate is not told of the next") {
  CandidateFailure failure;
  failure.begin(second);
  failure.note_last_words(second, {"of the second"});
  failure.note_stranger("somebody");
  failure.note_error(98);
  CHECK(failure.error() == 98);

  failure.begin(third);
  CHECK(failure.error() == 0);
  CHECK_FALSE(failure.has_last_words());
  failure.note_last_words(second, {"late"});
  CHECK_FALSE(failure.has_last_words());
  failure.failed("exited with status 1", "");
  CHECK(failure.in_full(third, "exited with status 1") == "exited with status 1");
}

TEST_CASE("the last failure stays known while the next candidate is on trial") {
  CandidateFailure failure;
  failure.begin(second);
  failure.note_last_words(second, {"no"});
  failure.failed("exited with status 1", "");
  failure.begin(third);
  CHECK(failure.in_full(second, "exited with status 1") == "exited with status 1\nno");
}

TEST_CASE("somebody who says READY=1 again is news only once in a rollout") {
  CandidateFailure failure;
  failure.begin(second);
  CHECK(failure.note_stranger("PID 7"));
  CHECK_FALSE(failure.note_stranger("PID 7"));
  CHECK(failure.note_stranger("PID 8"));
  failure.begin(third);
  CHECK(failure.note_stranger("PID 8"));
}

}  // namespace
}  // namespace graced
