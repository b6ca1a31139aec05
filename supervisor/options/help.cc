// Columns, and sentences broken where they would be too wide.
#include "options/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/columns.h"
#include "core/number.h"
#include "options/option_table.h"

namespace graced {

namespace {

// Where explanations begin: beside what they explain, or below it where that leaves no room.
struct Layout {
  explicit Layout(std::size_t width)
      : columns(width),
        options(width < 72 ? 8 : 34),
        commands(width < 72   ? 6
                 : width < 90 ? 36
                              : 44) {}
  std::size_t columns;
  std::size_t options;
  std::size_t commands;
};

std::string spaces(std::size_t n) {
  return std::string(n, ' ');
}

// Appends words to a text whose last line is `at` columns long, breaking before the last column and
// going on at `indent`.
void wrap(std::string& text, std::string_view words, std::size_t at, std::size_t indent, std::size_t columns) {
  bool first = true;
  while (!words.empty()) {
    const auto word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    if (!first && at + 1 + columns_of(word) > columns) {
      text += '\n' + spaces(indent);
      at = indent;
    } else if (!first) {
      text += ' ';
      ++at;
    }
    text += word;
    at += columns_of(word);
    first = false;
  }
  text += '\n';
}

void paragraphs(std::string& text, std::string_view details, std::size_t columns) {
  while (!details.empty()) {
    const auto paragraph = details.substr(0, details.find('\n'));
    details.remove_prefix(std::min(details.size(), paragraph.size() + 1));
    text += '\n';
    wrap(text, paragraph, 0, 0, columns);
  }
}

// A left half and its explanation beside it, or below where the left half is too wide.
void entry(std::string& text, const std::string& left, std::string_view right, std::size_t column,
           std::size_t columns) {
  text += left;
  const auto width = columns_of(left);
  text += width + 2 <= column ? spaces(column - width) : '\n' + spaces(column);
  wrap(text, right, column, column, columns);
}

std::string default_of(const WordOption& word) {
  const auto row = find_run_option(word.name);
  if (row == nullptr) return {};
  if (row->repeatable) return " (repeatable)";
  const auto value = row->show(RunOptions{});
  const auto shown = value.empty() ? row->unset : std::string_view{value};
  return shown == "none" ? std::string{} : fmt::format(" (default: {})", shown);
}

void option(std::string& text, const WordOption& word, const std::string& remark, const Layout& layout) {
  const auto letter = word.letter == 0 ? std::string{"    "} : fmt::format("-{}, ", word.letter);
  const auto left =
      fmt::format("  {}--{}{}{}", letter, word.name, word.argument.empty() ? "" : " ", word.argument);
  entry(text, left, fmt::format("{}{}", word.help, remark), layout.options, layout.columns);
}

void run_options_by_group(std::string& text, const Layout& layout) {
  std::vector<std::string_view> groups;
  for (const auto& row : run_options()) {
    if (row.word.name == command_option) continue;
    if (std::ranges::find(groups, row.group) == groups.end()) groups.push_back(row.group);
  }
  for (const auto group : groups) {
    text += fmt::format("\n{}\n", group);
    for (const auto& row : run_options()) {
      if (row.group == group && row.word.name != command_option)
        option(text, row.word, default_of(row.word), layout);
    }
  }
  text += "\nAbout graced\n";
  for (const auto& word : run_words()) {
    if (find_run_option(word.name) == nullptr) option(text, word, "", layout);
  }
}

void examples(std::string& text, std::span<const Example> lines, std::size_t columns) {
  std::size_t width = 0;
  for (const auto& line : lines) width = std::max(width, columns_of(line.line));
  for (const auto& line : lines)
    entry(text, fmt::format("  {}", line.line), line.what, width + 30 > columns ? 6 : width + 5, columns);
}

}  // namespace

std::string help_text(std::size_t columns) {
  const Layout layout{columns};
  std::string text = "graced: reloads any server without a refused or a reset connection\n\n";
  examples(text,
           std::vector<Example>{{"graced run -l 8080 -- ./app", "run a server"},
                                {"graced reload", "replace it by its next generation"},
                                {"graced status", "see how that went"}},
           columns);
  text += "\nCommands\n";
  for (const auto& command : command_table()) {
    entry(text, fmt::format("  {} {}", command.name, command.usage), command.summary, layout.commands, columns);
  }
  entry(text, "  help [COMMAND], COMMAND --help", "all about one of them", layout.commands, columns);
  entry(text, "  --version", "print version and features", layout.commands, columns);
  return text;
}

std::string help_text(const CommandRow& command, std::size_t columns) {
  const Layout layout{columns};
  auto text = fmt::format("graced {} {}\n\n", command.name, command.usage);
  examples(text, command.examples, columns);
  paragraphs(text, command.details, columns);
  if (command.words.empty()) {
    run_options_by_group(text, layout);
    return text;
  }
  text += "\nOptions\n";
  for (const auto& word : command.words) option(text, word, "", layout);
  return text;
}

std::size_t help_columns(const std::string& variable, std::size_t terminal) {
  const std::size_t known = parse_number<std::size_t>(variable, 1).value_or(terminal);
  return known == 0 ? usual : std::clamp(known, narrow, wide);
}

}  // namespace graced
