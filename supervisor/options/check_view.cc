// What was said and where, in columns, then what is left at its default.
#include "options/check_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/columns.h"
#include "options/one_line.h"

namespace graced {

namespace {

struct Line {
  std::string_view option;
  std::string value;
  std::string_view origin;  // empty: not worth a word
};

// One very long value does not push all origins off the screen.
constexpr std::size_t widest_value = 48;

std::string padded(std::string_view text, std::size_t width) {
  const auto size = columns_of(text);
  return fmt::format("{}{}", text, std::string(size < width ? width - size : 0, ' '));
}

std::vector<Line> lines_of(const std::vector<Setting>& settings, bool defaults) {
  std::vector<Line> lines;
  std::string_view before;
  for (const auto& setting : settings) {
    const bool is_default = setting.origin == "default";
    if (is_default != defaults) continue;
    const bool again = setting.option == before;
    before = setting.option;
    lines.push_back({again ? std::string_view{} : before, one_line(setting.value, 400),
                     is_default ? std::string_view{} : std::string_view{setting.origin}});
  }
  return lines;
}

}  // namespace

std::string check_text(const RunOptions& options, const std::vector<Setting>& settings, bool all_here) {
  const auto said = lines_of(settings, false);
  const auto unsaid = lines_of(settings, true);

  std::size_t option_width = 0;
  std::size_t value_width = 0;
  for (const auto* lines : {&said, &unsaid}) {
    for (const auto& line : *lines) option_width = std::max(option_width, line.option.size());
  }
  for (const auto& line : said) {
    if (const auto width = columns_of(line.value); width <= widest_value)
      value_width = std::max(value_width, width);
  }

  auto text = fmt::format("{}: the options are good{}\n\n", one_line(options.name),
                          all_here ? "" : ", but this machine has not all that they need");
  for (const auto& line : said) {
    text += fmt::format("  {}  {}  {}\n", padded(line.option, option_width), padded(line.value, value_width),
                        one_line(line.origin));
  }
  if (!unsaid.empty()) text += "\ndefaults\n";
  for (const auto& line : unsaid)
    text += fmt::format("  {}  {}\n", padded(line.option, option_width), line.value);
  if (!options.notes.empty()) text += '\n';
  for (const auto& note : options.notes) text += fmt::format("note: {}\n", note);
  return text;
}

}  // namespace graced
