// Boost.Program_options takes the words apart; where the options end is found before it looks.
#include "options/option_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <iterator>

#include "core/nearest.h"
#include "options/one_line.h"
#include "options/options.h"

namespace graced {

namespace {

namespace po = boost::program_options;

const WordOption* find(std::span<const WordOption> known, std::string_view name) {
  const auto at = std::ranges::find(known, name, &WordOption::name);
  return at == known.end() ? nullptr : &*at;
}

bool takes_next_word(const std::string& word, std::span<const WordOption> known) {
  if (word.starts_with("--")) {
    const auto option = find(known, word.substr(2));
    return option != nullptr && !option->argument.empty();
  }
  const auto option = std::ranges::find_if(
      known, [&](const WordOption& o) { return o.letter != 0 && word.size() == 2 && word[1] == o.letter; });
  return option != known.end() && !option->argument.empty();
}

// Boost goes on looking for options behind the first other word, so where it must stop is found here.
std::size_t end_of_options(const std::vector<std::string>& words, std::span<const WordOption> known) {
  std::size_t i = 0;
  while (i < words.size()) {
    const auto& word = words[i];
    if (word == "--" || word.size() < 2 || word[0] != '-') break;
    i += takes_next_word(word, known) ? 2 : 1;
  }
  return std::min(i, words.size());
}

std::string typed(const WordOption& option) {
  return fmt::format("--{}", option.name);
}

// Boost names the word as it was typed, perhaps with its value.
[[noreturn]] void unknown(std::string word, std::span<const WordOption> known, std::string_view command) {
  word.erase(std::min(word.size(), word.find('=')));
  std::vector<std::string_view> names;
  for (const auto& option : known) names.push_back(option.name);
  const auto name = word.substr(std::min(word.size(), word.find_first_not_of('-')));
  throw UsageError{
      fmt::format("unknown option '{}'{}", one_line(word),
                  did_you_mean(name, names, fmt::format("; see graced {} --help", command), "--"))};
}

// Boost's own sentences name neither the argument nor the way out.
[[noreturn]] void misused(const po::invalid_command_line_syntax& why, std::span<const WordOption> known) {
  auto name = why.get_option_name();
  name.erase(0, name.find_first_not_of('-'));
  const auto option = find(known, name);
  if (option == nullptr) throw UsageError{one_line(why.what())};
  if (option->argument.empty()) throw UsageError{fmt::format("{} takes no value", typed(*option))};
  throw UsageError{fmt::format("{} needs a value: {} {}", typed(*option), typed(*option), option->argument)};
}

}  // namespace

ParsedWords parse_words(const std::vector<std::string>& words, std::span<const WordOption> known, RestRule rule,
                        std::string_view command) {
  po::options_description description;
  for (const auto& option : known) {
    const auto names =
        option.letter == 0 ? std::string{option.name} : fmt::format("{},{}", option.name, option.letter);
    description.add_options()(names.c_str(), new po::untyped_value{option.argument.empty()}, "");
  }
  const auto end =
      words.begin() +
      static_cast<std::ptrdiff_t>(rule == RestRule::ends_options ? end_of_options(words, known) : words.size());

  ParsedWords result;
  try {
    constexpr int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    const auto parsed = po::command_line_parser{std::vector<std::string>{words.begin(), end}}
                            .options(description)
                            .style(style)
                            .run();
    for (const auto& option : parsed.options) {
      if (option.string_key.empty()) {
        result.rest.insert(result.rest.end(), option.value.begin(), option.value.end());
      } else {
        result.options.push_back({option.string_key, option.value.empty() ? "" : option.value.front()});
      }
    }
  } catch (const po::unknown_option& why) {
    unknown(why.get_option_name(), known, command);
  } catch (const po::invalid_command_line_syntax& why) { misused(why, known); } catch (const po::error& why) {
    throw UsageError{one_line(why.what())};
  }

  if (end != words.end()) result.rest.assign(*end == "--" ? std::next(end) : end, words.end());
  return result;
}

}  // namespace graced
