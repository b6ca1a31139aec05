#include "core/last_words.h"

#include <algorithm>

#include "core/line_buffer.h"

namespace graced {

std::vector<std::string> last_words(const std::vector<std::string>& of_stdout,
                                    const std::vector<std::string>& of_stderr) {
  constexpr std::size_t most = LineBuffer::kept_lines;
  constexpr std::size_t half = most / 2;
  const std::size_t free = most - std::min(most, of_stdout.size());
  const std::size_t errors = std::min(of_stderr.size(), std::max(half, free));
  const std::size_t others = std::min(of_stdout.size(), most - errors);

  std::vector<std::string> words(of_stdout.end() - static_cast<std::ptrdiff_t>(others), of_stdout.end());
  words.insert(words.end(), of_stderr.end() - static_cast<std::ptrdiff_t>(errors), of_stderr.end());
  return words;
}

}  // namespace graced
