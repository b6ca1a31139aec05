// What workers write, cut into lines and pieces of lines.
#include "core/line_pieces.h"

#include <doctest/doctest.h>

#include "core/line_buffer.h"

using namespace graced;

namespace {

// "text" of a line's beginning, "+text" of what goes on with one.
std::vector<std::string> texts(const std::vector<LinePiece>& pieces) {
  std::vector<std::string> all;
  for (const LinePiece& p : pieces) all.push_back((p.continues ? "+" : "") + p.text);
  return all;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("whole lines come out one by one, empty ones too, with all of their bytes") {
  LinePieces pieces;
  CHECK(texts(pieces.cut("one\n\ntwo\r\n")) == Texts{"one", "", "two\r"});
  CHECK(texts(pieces.cut(std::string("a\0b\xff\x80\n", 6))) == Texts{std::string("a\0b\xff\x80", 5)});
}

TEST_CASE("the rest of a line that was told before its end is told as its rest") {
  LinePieces pieces;
  CHECK(texts(pieces.cut("loading ... ")) == Texts{"loading ... "});
  CHECK(texts(pieces.cut("done\nnext\n")) == Texts{"+done", "next"});
}

TEST_CASE("a newline that ends a line of which all was told is no line") {
  LinePieces pieces;
  CHECK(texts(pieces.cut("? ")) == Texts{"? "});
  CHECK(pieces.cut("\n").empty());
  CHECK(texts(pieces.cut("\n")) == Texts{""});
}

TEST_CASE("a long line is cut into pieces, all of them told as one line") {
  LinePieces pieces;
  const std::string line(LinePieces::longest * 2 + 5, 'x');
  const auto cut = pieces.cut(line + "\nshort\n");
  REQUIRE(cut.size() == 4);
  CHECK(cut[0].text.size() == LinePieces::longest);
  CHECK(cut[1].text.size() == LinePieces::longest);
  CHECK(cut[2].text == "xxxxx");
  CHECK_FALSE(cut[0].continues);
  CHECK(cut[1].continues);
  CHECK(cut[2].continues);
  CHECK(cut[3].text == "short");
  CHECK_FALSE(cut[3].continues);
}

TEST_CASE("no character is cut in two, where a line is too long and where its rest comes late") {
  LinePieces pieces;
  const std::string euro = "\xe2\x82\xac";
  const auto cut = pieces.cut(std::string(LinePieces::longest - 1, 'x') + euro + "\n");
  REQUIRE(cut.size() == 2);
  CHECK(cut[0].text.size() == LinePieces::longest - 1);
  CHECK(cut[1].text == euro);

  CHECK(texts(pieces.cut("1 \xe2\x82")) == Texts{"1 "});
  CHECK(texts(pieces.cut("\xac\n")) == Texts{"+" + euro});
}

TEST_CASE("what only looks like the beginning of a character is not lost") {
  LinePieces pieces;
  CHECK(pieces.cut("\xe2").empty());
  CHECK(texts(pieces.cut("\n")) == Texts{"\xe2"});
  CHECK(pieces.cut("\xf0\x9f").empty());
  CHECK(texts(pieces.finish()) == Texts{"\xf0\x9f"});
  CHECK(pieces.finish().empty());

  const std::string bytes(LinePieces::longest * 3, '\x80');  // the middle of characters without a beginning
  std::string all;
  for (const LinePiece& p : pieces.cut(bytes + "\n")) all += p.text;
  CHECK(all == bytes);
}

TEST_CASE("of a line without end no more is held than one piece of it") {
  LineBuffer lines(LinePieces::longest);
  LinePieces pieces;
  std::size_t told = 0;
  const std::string part(50'000, 'x');
  for (int i = 0; i < 100; ++i) {
    for (const LinePiece& p : pieces.cut(lines.feed(part))) {
      told += p.text.size();
      CHECK(p.text.size() <= LinePieces::longest);
      CHECK(p.continues == (told > LinePieces::longest));
    }
    CHECK(part.size() * static_cast<std::size_t>(i + 1) - told <= LinePieces::longest);
  }
}
