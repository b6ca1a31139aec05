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

}  // namespace graced
