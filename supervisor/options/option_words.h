// Words of a command line taken apart into options, with their values, and the rest.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace graced {

// One option as it is typed and as the help prints it.
struct WordOption {
  std::string_view name;        // "ready-timeout", typed --ready-timeout
  char letter = 0;              // 'l', typed -l; 0: it has none
  std::string_view argument{};  // "TIME"; empty: it takes none
  std::string_view help{};
};

struct GivenWord {
  std::string name;
  std::string value;
  unsigned at = 0;  // the how manieth word it is
};

// A word that is wrong, and why.
struct WrongWord {
  std::string why;
  unsigned at;
};

struct ParsedWords {
  std::vector<GivenWord> options;  // in the order they were typed
  std::vector<std::string> rest;
  std::vector<WrongWord> wrong{};
  bool cut_short = false;  // an option is unknown, so that nobody can tell what the words after it are
};

enum class RestRule {
  anywhere,      // options and other words mix
  ends_options,  // the first other word ends the options: what follows belongs to somebody else
};

// `command` is whose help the way out names ("run"). Throws UsageError.
ParsedWords parse_words(const std::vector<std::string>& words, std::span<const WordOption> options,
                        RestRule rule, std::string_view command);

// The same; what is wrong is told in the answer instead.
ParsedWords parse_words_or_tell(const std::vector<std::string>& words, std::span<const WordOption> options,
                                RestRule rule, std::string_view command);

}  // namespace graced
