// Read to its end; what is far too long or no text is refused.
#include "options/text_file.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace graced {

std::string read_text_file(const std::string& path) {
  constexpr std::size_t most = 1 << 20;

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file{std::fopen(path.c_str(), "re")};
  if (!file) throw std::system_error{errno, std::generic_category()};

  std::string text;
  std::array<char, 4096> buffer;
  while (const auto n = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    text.append(buffer.data(), n);
    if (text.size() > most)
      throw std::invalid_argument{"larger than a megabyte, so hardly the file that was meant"};
  }
  if (std::ferror(file.get()) != 0) throw std::system_error{errno, std::generic_category()};
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  if (text.find('\0') != std::string::npos)
    throw std::invalid_argument{"not a text file, it has a NUL byte in it"};
  return text;
}

}  // namespace graced
