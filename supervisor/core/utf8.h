// UTF-8, character by character.
#pragma once

#include <cstddef>
#include <string_view>

namespace graced {

struct Decoded {
  char32_t character;
  std::size_t length;  // bytes; 0: not UTF-8
};

// The first character of a text that is not empty. Strict: no overlong forms, no surrogates, nothing beyond
// U+10FFFF.
Decoded decode_utf8(std::string_view text);

// Whether this byte goes on with a character that another one has begun.
bool within_character(char byte);

// As much of its beginning as fits into `most` bytes, with no character cut in two.
std::string_view beginning_of(std::string_view text, std::size_t most);

}  // namespace graced
