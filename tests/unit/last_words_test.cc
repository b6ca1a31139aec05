// What is told of a worker that wrote to stdout and to stderr.
#include "core/last_words.h"

#include <doctest/doctest.h>

using namespace graced;

namespace {

std::vector<std::string> lines(const char* name, int from, int to) {
  std::vector<std::string> made;
  for (int i = from; i < to; ++i) made.push_back(name + std::to_string(i));
  return made;
}

std::vector<std::string> both(std::vector<std::string> first, const std::vector<std::string>& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

}  // namespace

TEST_CASE("the reason is told wherever it was written to") {
  CHECK(last_words({}, {}).empty());
  CHECK(last_words({"already running"}, {}) == std::vector<std::string>{"already running"});
  CHECK(last_words({}, {"no such file"}) == std::vector<std::string>{"no such file"});
  CHECK(last_words({"starting"}, {"no such file"}) == std::vector<std::string>{"starting", "no such file"});
}

TEST_CASE("of two talkative outputs neither drives out the other's last words") {
  CHECK(last_words(lines("out", 0, 20), lines("err", 0, 20)) ==
        both(lines("out", 10, 20), lines("err", 10, 20)));
  CHECK(last_words(lines("out", 0, 3), lines("err", 0, 20)) == both(lines("out", 0, 3), lines("err", 3, 20)));
  CHECK(last_words(lines("out", 0, 20), lines("err", 0, 3)) == both(lines("out", 3, 20), lines("err", 0, 3)));
  CHECK(last_words(lines("out", 0, 20), {}) == lines("out", 0, 20));
}
