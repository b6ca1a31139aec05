// Cuts what a LineBuffer lets through into lines, each to be told on by itself. A line that comes in parts, as
// it was not finished for a while or is too long, is several pieces; no character of UTF-8 is cut in two.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/members.h"

namespace graced {

struct LinePiece {
  std::string text;        // any bytes, without the newline
  bool continues = false;  // goes on with the line that the piece before has begun
};

class LinePieces {
 public:
  static constexpr std::size_t longest = 64 * 1024;  // bytes of one piece

  // bytes: whole lines, or whole lines and the beginning of one that is not finished.
  std::vector<LinePiece> cut(std::string_view bytes);

  // Nothing more comes: what was kept back of a character.
  std::vector<LinePiece> finish();

 private:
  template <class>
  friend struct Members;

  void add(std::vector<LinePiece>& pieces, std::string_view part);

  bool within_ = false;  // a line, of which a piece has been told
  std::string held_;     // the beginning of a character
};

}  // namespace graced
