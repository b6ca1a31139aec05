// One letter at a time, with what quotes and backslashes make of it.
#include "options/shell_words.h"

#include <stdexcept>

namespace graced {

namespace {

constexpr std::string_view blanks = " \t\r\n";

// Between double quotes a backslash is itself unless it saves one of these.
constexpr std::string_view saved_in_quotes = "\"\\$`";

constexpr std::string_view plain_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

}  // namespace

std::vector<std::string> split_shell_words(std::string_view line) {
  std::vector<std::string> words;
  bool inside = false;  // of a word, which may be empty: ''
  char quote = 0;

  for (std::size_t i = 0; i < line.size(); ++i) {
    char c = line[i];
    if (quote == 0 && is_one_of(c, blanks)) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;

    if (quote != 0 ? c == quote : c == '\'' || c == '"') {
      quote = quote != 0 ? '\0' : c;
      continue;
    }
    if (c == '\\' && quote != '\'') {
      if (i + 1 == line.size()) throw std::invalid_argument{"a backslash is last, with nothing to quote"};
      if (quote == 0 || is_one_of(line[i + 1], saved_in_quotes)) c = line[++i];
    }
    words.back() += c;
  }
  if (quote == '\'') throw std::invalid_argument{"a single quote (') is never closed"};
  if (quote == '"') throw std::invalid_argument{"a double quote (\") is never closed"};
  return words;
}

std::string join_shell_words(const std::vector<std::string>& words) {
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(plain_characters) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) {
      if (c == '\'') {
        line += "'\\''";
      } else {
        line += c;
      }
    }
    line += '\'';
  }
  return line;
}

}  // namespace graced
