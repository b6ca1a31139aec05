// What every fuzz target shares: its door, and how a broken promise ends the run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

// libFuzzer's door, which replay.cc knocks at too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Not assert(): it holds in every build.
inline void promise(bool kept, const char* what) {
  if (kept) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// What is shown to people is one line, and nothing that a terminal would obey; a tab does no harm.
inline bool is_one_line(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < ' ' && byte != '\t') || byte == 0x7f) return false;
  }
  return true;
}

// The input as several texts, separated by `end`.
inline std::vector<std::string_view> cut(std::string_view text, char end) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(end);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

}  // namespace fuzz
