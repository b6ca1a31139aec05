// {fd:NAME} becomes a number, or is refused.
#include "options/option_fd_names.h"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace graced;

namespace {

int number_of(std::string_view name) {
  if (name == "http") return 3;
  if (name == "admin") return 4;
  throw std::out_of_range{std::string{name}};
}

}  // namespace

TEST_CASE("{fd:NAME} becomes the socket's number, wherever it stands and however often") {
  CHECK(replace_fd_names("--fd={fd:http}", number_of) == "--fd=3");
  CHECK(replace_fd_names("{fd:http},{fd:admin},{fd:http}", number_of) == "3,4,3");
}

TEST_CASE("other braces stay as they are") {
  for (const char* text : {"", "{}", "{fd}", "{fd:http", "{FD:http}", "${HOME}", "fd:http}"}) {
    CAPTURE(text);
    CHECK(replace_fd_names(text, number_of) == text);
  }
}

TEST_CASE("who knows the names says what an unknown one means") {
  CHECK_THROWS_WITH_AS(replace_fd_names("{fd:nope}", number_of), "nope", std::out_of_range);
}

TEST_CASE("the names in use are those of command, variables and check, each once") {
  RunOptions options;
  options.command = {"app", "{fd:b}", "x{fd:a}{fd:b}"};
  options.environment = {"FD={fd:c}"};
  options.check = {"app", "{fd:d}"};
  CHECK(fd_names_used(options) == std::vector<std::string>{"b", "a", "c", "d"});
}
