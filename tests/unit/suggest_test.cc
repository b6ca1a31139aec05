// Which word is taken for the one that was meant.
#include "core/suggest.h"

#include <doctest/doctest.h>

#include <array>

using namespace graced;

namespace {

constexpr auto known = std::to_array<std::string_view>({"listen", "workers", "reload", "env", "stop"});

}  // namespace

TEST_CASE("a slip of the finger is recognised") {
  CHECK(suggest("lisen", known) == "listen");
  CHECK(suggest("lsiten", known) == "listen");
  CHECK(suggest("wokrers", known) == "workers");
  CHECK(suggest("reloadd", known) == "reload");
  CHECK(suggest("end", known) == "env");
}

TEST_CASE("what is far from everything is not guessed at") {
  for (const char* word : {"", "x", "foo", "xyzzy", "go", "adoption"}) {
    CAPTURE(word);
    CHECK(suggest(word, known).empty());
  }
  CHECK(suggest(std::string(100'000, 'x'), known).empty());
}

TEST_CASE("the way out names the word as it is typed, or another way") {
  CHECK(did_you_mean("lisen", known) == "; did you mean 'listen'?");
  CHECK(did_you_mean("lisen", known, "", "--") == "; did you mean '--listen'?");
  CHECK(did_you_mean("xyzzy", known, "; see --help") == "; see --help");
}
