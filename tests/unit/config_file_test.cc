// Configuration files: lines, comments, and where a mistake is.
#include "options/config_file.h"

#include <doctest/doctest.h>

#include "options/options.h"

using namespace graced;

namespace {

std::vector<ConfigLine> parse(std::string_view text) {
  return parse_config_file(text, "app.conf");
}

std::string complaint(std::string_view text) {
  try {
    parse(text);
  } catch (const UsageError& why) { return why.what(); }
  return "none";
}

}  // namespace

TEST_CASE("a configuration is option = value lines, and each knows where it stands") {
  const auto lines =
      parse("# my server\n\ncommand = ./app --port 1\r\n  workers=2  # two\nlisten = 80,name=web\nname =\n");
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].option == "command");
  CHECK(lines[0].value == "./app --port 1");
  CHECK(lines[0].line == 3);
  CHECK_FALSE(lines[0].before_comment);
  CHECK(lines[1].option == "workers");
  CHECK(lines[1].value == "2");
  CHECK(lines[1].line == 4);
  CHECK(lines[1].before_comment);
  CHECK(lines[2].value == "80,name=web");
  CHECK(lines[3].option == "name");
  CHECK(lines[3].value.empty());
  CHECK(parse("").empty());
}

TEST_CASE("a line that is none is named by file and line") {
  CHECK(complaint("workers = 2\nlisten 8080\n") == "app.conf:2: 'listen 8080' is no line like 'workers = 4'");
  CHECK(complaint("\n[service]\n") == "app.conf:2: there are no sections here, leave out '[service]'");
  CHECK(complaint("  [x") == "app.conf:1: there are no sections here, leave out '[x'");
}

TEST_CASE("a '#' inside a value is an error, for the rest of it would silently be lost") {
  CHECK(complaint("name = a\nenv = PASSWORD=ab#c\n") ==
        "app.conf:2: '#' would begin a comment here; put a blank before it, or the value into an env-file or a "
        "GRACED_ variable");
  CHECK(complaint("env = A=b # c") == "none");
  CHECK(complaint("name =#x") == "none");
  CHECK(complaint("# a#b\n#a=b#c") == "none");
}
