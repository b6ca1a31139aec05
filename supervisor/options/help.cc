// Columns, and sentences broken where they would be too wide.
#include "options/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "options/option_table.h"

namespace graced {

namespace {

constexpr std::size_t columns = 100;
constexpr std::size_t help_column = 34;

std::size_t letters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string blanks(std::size_t n) {
  return std::string(n, ' ');
}

// Appends words to a text whose last line is `at` columns long, breaking before the last column and
// going on at `indent`.
void wrap(std::string& text, std::string_view words, std::size_t at, std::size_t indent) {
  bool first = true;
  while (!words.empty()) {
    const auto word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    if (!first && at + 1 + letters(word) > columns) {
      text += '\n' + blanks(indent);
      at = indent;
    } else if (!first) {
      text += ' ';
      ++at;
    }
    text += word;
    at += letters(word);
    first = false;
  }
  text += '\n';
}

void paragraphs(std::string& text, std::string_view details) {
  while (!details.empty()) {
    const auto paragraph = details.substr(0, details.find('\n'));
    details.remove_prefix(std::min(details.size(), paragraph.size() + 1));
    text += '\n';
    wrap(text, paragraph, 0, 0);
  }
}

// A left half and its explanation beside it, or below where the left half is too wide.
void entry(std::string& text, const std::string& left, std::string_view right, std::size_t column) {
  text += left;
  const auto width = letters(left);
  text += width + 2 <= column ? blanks(column - width) : '\n' + blanks(column);
  wrap(text, right, column, column);
}

std::string default_of(const WordOption& word) {
  const auto row = find_run_option(word.name);
  if (row == nullptr) return {};
  if (row->repeatable) return " (repeatable)";
  const auto value = row->show(RunOptions{});
  const auto shown = value.empty() ? row->unset : std::string_view{value};
  return shown == "none" ? std::string{} : fmt::format(" (default: {})", shown);
}

void option(std::string& text, const WordOption& word, const std::string& remark) {
  const auto letter = word.letter == 0 ? std::string{"    "} : fmt::format("-{}, ", word.letter);
  const auto left =
      fmt::format("  {}--{}{}{}", letter, word.name, word.argument.empty() ? "" : " ", word.argument);
  entry(text, left, fmt::format("{}{}", word.help, remark), help_column);
}

void run_options_by_group(std::string& text) {
  std::vector<std::string_view> groups;
  for (const auto& row : run_options()) {
    if (row.word.name == command_option) continue;
    if (std::ranges::find(groups, row.group) == groups.end()) groups.push_back(row.group);
  }
  for (const auto group : groups) {
    text += fmt::format("\n{}\n", group);
    for (const auto& row : run_options()) {
      if (row.group == group && row.word.name != command_option) option(text, row.word, default_of(row.word));
    }
  }
  text += "\nAbout graced\n";
  for (const auto& word : run_words()) {
    if (find_run_option(word.name) == nullptr) option(text, word, "");
  }
}

void examples(std::string& text, std::span<const Example> lines) {
  std::size_t width = 0;
  for (const auto& line : lines) width = std::max(width, letters(line.line));
  for (const auto& line : lines) entry(text, fmt::format("  {}", line.line), line.what, width + 5);
}

}  // namespace

std::string help_text() {
  std::string text = "graced: reloads any server without a refused or a reset connection\n\n";
  examples(text, std::vector<Example>{{"graced run -l 8080 -- ./app", "run a server"},
                                      {"graced reload", "replace it by its next generation"},
                                      {"graced status", "see how that went"}});
  text += "\nCommands\n";
  for (const auto& command : command_table()) {
    entry(text, fmt::format("  {} {}", command.name, command.usage), command.summary, 44);
  }
  entry(text, "  help [COMMAND], COMMAND --help", "all about one of them", 44);
  entry(text, "  --version", "print version and features", 44);
  return text;
}

std::string help_text(const CommandRow& command) {
  auto text = fmt::format("graced {} {}\n\n", command.name, command.usage);
  examples(text, command.examples);
  paragraphs(text, command.details);
  if (command.words.empty()) {
    run_options_by_group(text);
    return text;
  }
  text += "\nOptions\n";
  for (const auto& word : command.words) option(text, word, "");
  return text;
}

}  // namespace graced
