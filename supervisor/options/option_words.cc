// Boost.Program_options takes the words apart; what it complains of is told in our words.
#include "options/option_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>

#include "core/suggest.h"
#include "options/complaints.h"
#include "options/one_line.h"
#include "options/option_description.h"

namespace graced {

namespace {

namespace po = boost::program_options;

using Words = std::vector<std::string>;

// The beginning of a name is not taken for the name, which would change its meaning when an option is added.
// Letters are not put together, as there is but one that takes no value.
constexpr int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing &
                      ~po::command_line_style::allow_sticky;

// Boost gives up at the first word that is wrong, and all of them are to be told. So it gets at a time what it
// needs of the words that are left: an option with its value, a word that is none, or all from "--" on.
Words next_part(const Words& words, std::size_t at, const po::options_description& known, RestRule rule) {
  const auto begin = words.begin() + static_cast<std::ptrdiff_t>(at);
  if (*begin == "--") return {begin, words.end()};
  if (begin->size() < 2 || begin->front() != '-') {
    if (rule == RestRule::anywhere) return {*begin};
    Words rest{"--"};
    rest.insert(rest.end(), begin, words.end());
    return rest;
  }
  const auto* option = known.find_nothrow(begin->starts_with("--") ? begin->substr(2) : *begin, false);
  const bool with_next = option != nullptr && option->semantic()->min_tokens() > 0 && begin + 1 != words.end();
  return {begin, begin + (with_next ? 2 : 1)};
}

// What was typed of an option's name: "--listen" of "--listen=80".
std::string_view typed(std::string_view word) {
  return word.substr(0, word.find('='));
}

std::string unknown(std::string_view word, std::span<const WordOption> options, std::string_view command) {
  const auto shown = typed(word);
  std::vector<std::string_view> names;
  for (const auto& option : options) names.push_back(option.name);
  const auto name = shown.substr(std::min(shown.size(), shown.find_first_not_of('-')));
  return fmt::format("unknown option '{}'{}", one_line(shown),
                     did_you_mean(name, names, fmt::format("; see graced {} --help", command), "--"));
}

// Null where Boost found fault with it before it looked whether there is such an option.
const WordOption* misused_option(const po::invalid_command_line_syntax& why,
                                 std::span<const WordOption> options) {
  const auto typed_name = why.get_option_name();
  const auto dashes = std::min(typed_name.find_first_not_of('-'), typed_name.size());
  const auto option =
      std::ranges::find(options, std::string_view{typed_name}.substr(dashes), &WordOption::name);
  return option == options.end() ? nullptr : &*option;
}

// Boost's own sentences name neither the argument nor the way out.
std::string misused(const WordOption& option) {
  if (option.argument.empty()) return fmt::format("--{} takes no value", option.name);
  return fmt::format("--{} needs a value: --{} {}", option.name, option.name, option.argument);
}

}  // namespace

ParsedWords parse_words(const std::vector<std::string>& words, std::span<const WordOption> options,
                        RestRule rule, std::string_view command) {
  auto parsed = parse_words_or_tell(words, options, rule, command);
  Complaints complaints;
  for (const auto& wrong : parsed.wrong) complaints.add({Place::Layer::command_line, wrong.at}, wrong.why);
  complaints.throw_if_any();
  return parsed;
}

ParsedWords parse_words_or_tell(const std::vector<std::string>& words, std::span<const WordOption> options,
                                RestRule rule, std::string_view command) {
  const auto known = description_of(options);
  ParsedWords result;
  for (std::size_t at = 0; at < words.size();) {
    const auto part = next_part(words, at, known, rule);
    const auto number = static_cast<unsigned>(at + 1);
    const auto cut_short = [&] {
      result.wrong.push_back({unknown(words[at], options, command), number});
      result.cut_short = true;
      return result;
    };
    try {
      for (const auto& parsed : po::command_line_parser{part}.options(known).style(style).run().options) {
        if (!parsed.string_key.empty())
          result.options.push_back(
              {parsed.string_key, parsed.value.empty() ? "" : parsed.value.front(), number});
        else if (parsed.value == parsed.original_tokens)
          result.rest.push_back(parsed.value.front());
        else
          return cut_short();  // "--=value": to Boost an option without a name is none
      }
      at += part.size();
    } catch (const po::unknown_option&) {
      return cut_short();
    } catch (const po::invalid_command_line_syntax& why) {
      const auto* option = misused_option(why, options);
      if (option == nullptr) return cut_short();
      result.wrong.push_back({misused(*option), number});
      ++at;  // what follows is no value of its
    }
  }
  return result;
}

}  // namespace graced
