// getopt_long(3) takes the words apart; what it complains of is told in our words.
#include "options/option_words.h"

#include <fmt/format.h>
#include <getopt.h>

#include <algorithm>

#include "core/suggest.h"
#include "options/complaints.h"
#include "options/one_line.h"

namespace graced {

namespace {

constexpr int first_long_value = 256;  // above every letter; the options' values count up from here

// As getopt_long wants to be told them.
struct Known {
  std::string letters{"-:"};  // '-': it reorders nothing; ':': it prints nothing
  std::vector<option> names;

  explicit Known(std::span<const WordOption> options) {
    names.reserve(options.size() + 1);
    int value = first_long_value;
    for (const auto& o : options) {
      const bool takes = !o.argument.empty();
      names.push_back({o.name.data(), takes ? required_argument : no_argument, nullptr, value++});
      if (o.letter == 0) continue;
      letters += o.letter;
      if (takes) letters += ':';
    }
    names.push_back({});
  }
};

const WordOption* find(std::span<const WordOption> options, int value) {
  const auto at = value >= first_long_value ? options.begin() + (value - first_long_value)
                                            : std::ranges::find(options, value, &WordOption::letter);
  return at == options.end() ? nullptr : &*at;
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

std::string needs_value(const WordOption& option) {
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
  const Known known{options};
  std::vector<char*> argv{nullptr};  // the program's name, which is not looked at
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const int argc = static_cast<int>(argv.size()) - 1;

  ParsedWords result;
  optind = 0;  // from the start, whatever was parsed before
  while (true) {
    const int at = std::max(optind, 1);
    const std::string_view word = at < argc ? argv[static_cast<std::size_t>(at)] : "";
    const int value = ::getopt_long(argc, argv.data(), known.letters.c_str(), known.names.data(), nullptr);
    if (value == -1) break;
    if (value == 1) {  // no option
      result.rest.emplace_back(optarg);
      if (rule == RestRule::ends_options) break;
      continue;
    }
    const bool complains = value == '?' || value == ':';
    const auto* option = find(options, complains ? optopt : value);
    const bool by_name = word.starts_with("--");
    // It takes the beginning of a name for the name, which would change its meaning when an option is added.
    const auto number = static_cast<unsigned>(at);
    if (option == nullptr || (by_name && typed(word).substr(2) != option->name)) {
      result.wrong.push_back({unknown(word, options, command), number});
      result.cut_short = true;
      return result;
    }
    const bool empty = by_name && word.ends_with('=') && typed(word).size() == word.size() - 1;
    if (value == '?') {
      result.wrong.push_back({fmt::format("--{} takes no value", option->name), number});
    } else if (value == ':' || empty) {
      result.wrong.push_back({needs_value(*option), number});
    } else {
      result.options.push_back({std::string{option->name}, optarg ? optarg : "", number});
    }
  }
  result.rest.insert(result.rest.end(), words.begin() + std::max(optind - 1, 0), words.end());
  return result;
}

}  // namespace graced
