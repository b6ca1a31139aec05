// Environment files: quoting as systemd has it, and where a mistake is.
#include "options/env_file.h"

#include <doctest/doctest.h>

#include <stdexcept>
#include <system_error>

#include "options/options.h"
#include "written_files.h"

using namespace graced;

namespace {

using Lines = std::vector<std::string>;

Lines parse(std::string_view text) {
  return parse_env_file(text, "app.env");
}

std::string complaint(std::string_view text) {
  try {
    parse(text);
  } catch (const UsageError& why) { return why.what(); }
  return "none";
}

}  // namespace

TEST_CASE("an environment file is NAME=VALUE lines, with comments and empty lines between") {
  CHECK(parse("A=1\n\n# comment\n  ; another\nB=two words\nC=") == Lines{"A=1", "B=two words", "C="});
  CHECK(parse("") == Lines{});
  CHECK(parse("# only this") == Lines{});
}

TEST_CASE("blanks around a value do not belong to it, blanks inside do") {
  CHECK(parse("  A =  x y  \r\nB=1\t\n") == Lines{"A=x y", "B=1"});
  CHECK(parse("A=x\\ \n") == Lines{"A=x "});
}

TEST_CASE("a value may have signs that mean something elsewhere") {
  CHECK(parse("A=b=c # no comment\nB=it's\nC=a\"b\nD=$HOME;x") ==
        Lines{"A=b=c # no comment", "B=it's", "C=a\"b", "D=$HOME;x"});
}

TEST_CASE("quotes keep blanks and line ends, and stand side by side") {
  CHECK(parse("A=\" x \"\nB=' y\nz '\nC='a' \"b\"c\n") == Lines{"A= x ", "B= y\nz ", "C=abc"});
  CHECK(parse(R"(A="a \"b\" \\ \$c \n")") == Lines{R"(A=a "b" \ $c \n)"});
  CHECK(parse(R"(A='a \n')") == Lines{R"(A=a \n)"});
  CHECK(parse("A=\"two \\\nlines\"") == Lines{"A=two lines"});
}

TEST_CASE("a backslash at the end of a line goes on in the next") {
  CHECK(parse("A=one \\\ntwo\nB=3\n") == Lines{"A=one two", "B=3"});
  CHECK(parse("A=x\\") == Lines{"A=x"});
}

TEST_CASE("a comment does not go on in the next line") {
  CHECK(parse("# a \\\nB=1\n") == Lines{"B=1"});
}

TEST_CASE("a malformed line is named by file and line") {
  CHECK(complaint("A=1\nnonsense\n") == "app.env:2: 'nonsense' is no NAME=VALUE");
  CHECK(complaint("\n\n=x") == "app.env:3: '' is no variable's name");
  CHECK(complaint("A B=x") == "app.env:1: 'A B' is no variable's name");
  CHECK(complaint("export A=x") == "app.env:1: leave out 'export': this is no shell script");
  CHECK(complaint("A=1\nB='x\n\n\n") == "app.env:2: a single quote (') is never closed");
  CHECK(complaint("A=\"x\n\n") == "app.env:1: a double quote (\") is never closed");
  CHECK(complaint("A='\n\n'\nnonsense") == "app.env:4: 'nonsense' is no NAME=VALUE");
  CHECK(complaint("A=1\\\n2\n\x1b[31m\n") == "app.env:3: '\\x1b[31m' is no NAME=VALUE");
}

TEST_CASE("a file that may be missing may be missing, but not unreadable") {
  const WrittenFiles files;
  const auto path = files.write("app.env", "A=1\n");
  CHECK(read_env_file(path) == Lines{"A=1"});
  CHECK(read_env_file("-" + path) == Lines{"A=1"});
  CHECK(read_env_file("-" + files.path("none")) == Lines{});
  CHECK_THROWS_WITH_AS(read_env_file(files.path("none")), "No such file or directory", std::system_error);
  CHECK_THROWS_WITH_AS(read_env_file("-" + files.directory()), "Is a directory", std::system_error);
  files.write("app.env", "A\n");
  CHECK_THROWS_AS(read_env_file("-" + path), UsageError);
}

TEST_CASE("what is no text file is not read as one") {
  const WrittenFiles files;
  CHECK_THROWS_WITH_AS(read_env_file(files.write("nul", std::string("A=1\0", 4))),
                       "not a text file, it has a NUL byte in it", std::invalid_argument);
  CHECK_THROWS_WITH_AS(read_env_file("/dev/zero"), "larger than a megabyte, so hardly the file that was meant",
                       std::invalid_argument);
}
