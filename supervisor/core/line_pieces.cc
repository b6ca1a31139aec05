#include "core/line_pieces.h"

#include <algorithm>
#include <utility>

#include "core/utf8.h"

namespace graced {

namespace {

// How many bytes at the end are the beginning of a character that more bytes could complete.
std::size_t begun_character(std::string_view text) {
  constexpr std::size_t longest_beginning = 3;
  for (std::size_t n = 1; n <= std::min(longest_beginning, text.size()); ++n) {
    const auto byte = static_cast<unsigned char>(text[text.size() - n]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return byte <= 0xf4 && length > n ? n : 0;
  }
  return 0;
}

// As much as fits into one piece.
std::string_view first_piece(std::string_view text) {
  if (text.size() <= LinePieces::longest) return text;
  const std::string_view piece = text.substr(0, LinePieces::longest);
  return piece.substr(0, piece.size() - begun_character(piece));
}

}  // namespace

std::vector<LinePiece> LinePieces::cut(std::string_view bytes) {
  std::vector<LinePiece> pieces;
  std::string joined;
  if (!held_.empty()) {
    joined = std::exchange(held_, {});
    joined += bytes;
    bytes = joined;
  }
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    if (newline == std::string_view::npos) {
      const std::size_t begun = begun_character(bytes);
      held_ = bytes.substr(bytes.size() - begun);
      bytes.remove_suffix(begun);
      if (!bytes.empty()) add(pieces, bytes);
      return pieces;
    }
    // That a line has ended of which all was told already is no piece.
    if (newline > 0 || !within_) add(pieces, bytes.substr(0, newline));
    within_ = false;
    bytes.remove_prefix(newline + 1);
  }
  return pieces;
}

std::vector<LinePiece> LinePieces::finish() {
  std::vector<LinePiece> pieces;
  if (!held_.empty()) add(pieces, std::exchange(held_, {}));
  within_ = false;
  return pieces;
}

void LinePieces::add(std::vector<LinePiece>& pieces, std::string_view part) {
  do {
    const std::string_view piece = first_piece(part);
    pieces.push_back({std::string(piece), within_});
    within_ = true;
    part.remove_prefix(piece.size());
  } while (!part.empty());
}

}  // namespace graced
