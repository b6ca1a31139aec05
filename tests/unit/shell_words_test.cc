// Words split and joined as a shell would.
#include "options/shell_words.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace graced;

namespace {

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a line is split into words as a shell would split it") {
  CHECK(split_shell_words("") == Words{});
  CHECK(split_shell_words("  ./app   --port\t1 ") == Words{"./app", "--port", "1"});
  CHECK(split_shell_words(R"(sh -c "echo 'a b'; exec ./app")") == Words{"sh", "-c", "echo 'a b'; exec ./app"});
  CHECK(split_shell_words(R"(it\'s 'a "quote"' "it's")") == Words{"it's", "a \"quote\"", "it's"});
  CHECK(split_shell_words(R"(--a='x y'z "\$HOME\n" a\ b)") == Words{"--a=x yz", "$HOME\\n", "a b"});
}

TEST_CASE("an empty word in quotes is a word") {
  CHECK(split_shell_words("./app --name '' \"\"") == Words{"./app", "--name", "", ""});
}

TEST_CASE("a quote left open is an error, not a guess") {
  CHECK_THROWS_WITH_AS(split_shell_words("./app 'x"), "a single quote (') is never closed",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(split_shell_words("./app \"it's"), "a double quote (\") is never closed",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(split_shell_words("./app \\"), "a backslash is last, with nothing to quote",
                       std::invalid_argument);
}

TEST_CASE("words written in a line are read back as they were") {
  CHECK(join_shell_words({"./app", "--port=1", "a b", "", "it's"}) == R"(./app --port=1 'a b' '' 'it'\''s')");
  const Words words{"", " ", "'", "\"", "\\", "a'b\"c\\d $e", "-x", "\n"};
  CHECK(split_shell_words(join_shell_words(words)) == words);
}
