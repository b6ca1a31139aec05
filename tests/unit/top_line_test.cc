#include "top/line.h"

#include <doctest/doctest.h>

#include "core/columns.h"

using namespace graced;

TEST_CASE("a page's colours become pieces of lines") {
  const auto lines = lines_of_page("a \x1b[32mgreen\x1b[0m one\n\nplain\n");
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].spans == std::vector<Span>{{"a "}, {"green", Paint::green}, {" one"}});
  CHECK(lines[1].spans.empty());
  CHECK(text_of(lines[2]) == "plain");
}

TEST_CASE("no escape and no tab comes out of a page, whatever was in it") {
  for (const Line& line : lines_of_page("\x1b[5mblink\x1b]0;title\x07\tx\n\x1b"))
    CHECK(text_of(line).find_first_of("\x1b\t") == std::string::npos);
}

TEST_CASE("a long line is wrapped between words and goes on where it is indented") {
  const auto lines = wrapped(line_of("  one two three four five"), 14);
  REQUIRE(lines.size() == 3);
  CHECK(text_of(lines[0]) == "  one two");
  CHECK(text_of(lines[1]) == "    three four");
  CHECK(text_of(lines[2]) == "    five");
  CHECK(text_of(wrapped(line_of("  key  what it does"), 14, 7)[1]) == "       does");
  CHECK(wrapped(line_of("short"), 14) == std::vector<Line>{line_of("short")});
  CHECK(wrapped(Line{}, 14).size() == 1);
}

TEST_CASE("a word that has no room in a line is cut, and no line is wider than it may be") {
  const std::string text =
      "  " + std::string(35, 'x') + " \xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97 end";
  std::string all;
  for (const Line& line : wrapped(line_of(text), 10)) {
    CHECK(columns_of(line) <= 10);
    for (const char c : text_of(line))
      if (c != ' ') all += c;
  }
  CHECK(all == std::string(35, 'x') + "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97" + "end");
}

TEST_CASE("what has no room at the end of a line is told by three dots") {
  Line line = line_of("12345", Paint::bold);
  line.spans.push_back({"6789"});
  CHECK(cut(line, 9) == line);
  CHECK(text_of(cut(line, 8)) == "1234567\u2026");
  CHECK(text_of(cut(line, 5)) == "1234\u2026");
  CHECK(text_of(cut(line, 1)) == "\u2026");
}

TEST_CASE("a text is shortened to its columns, with no character cut in two") {
  CHECK(shortened("abc", 3) == "abc");
  CHECK(shortened("abcd", 3) == "ab\u2026");
  CHECK(shortened("\xe6\xbc\xa2\xe5\xad\x97", 3) == "\xe6\xbc\xa2\u2026");
  CHECK(shortened("\xe6\xbc\xa2\xe5\xad\x97", 2) == "\u2026");
}
