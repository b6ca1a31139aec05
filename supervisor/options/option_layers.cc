// File, environment and command line, read in this order, each over what is there.
#include "options/option_layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <stdexcept>

#include "core/suggest.h"
#include "options/config_file.h"
#include "options/environment.h"
#include "options/one_line.h"
#include "options/option_table.h"
#include "options/options.h"
#include "options/shell_words.h"

namespace graced {

namespace {

constexpr std::string_view prefix = "GRACED_";
constexpr unsigned after_all_options = std::numeric_limits<unsigned>::max();

std::string variable_name(std::string_view option) {
  std::string name{prefix};
  for (const char c : option) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

// A repeated option takes all its values from one variable, as words of a shell.
std::vector<std::string> values_of(const OptionRow& row, const std::string& text, const std::string& where) {
  if (!row.repeatable) return {text};
  try {
    return split_shell_words(text);
  } catch (const std::invalid_argument& why) { throw UsageError{fmt::format("{}: {}", where, why.what())}; }
}

// Of a graced's options, in the environment of its workers.
bool told_to_worker(std::string_view name) {
  return name == "GRACED_NAME" || name == "GRACED_CONTROL" || name == "GRACED_DRAIN_TIMEOUT" ||
         name == "GRACED_STOP_TIMEOUT" || name == "GRACED_DRAIN_GRACE";
}

void note_unknown_variable(std::string_view name, std::vector<std::string>& notes) {
  std::vector<std::string> names;
  for (const auto& row : run_options()) names.push_back(variable_name(row.word.name).substr(prefix.size()));
  const std::vector<std::string_view> known{names.begin(), names.end()};
  notes.push_back(fmt::format("{} in the environment is no option{}", one_line(name),
                              did_you_mean(name.substr(prefix.size()), known, "", prefix)));
}

std::string unknown_in_file(const ConfigLine& line, const std::string& path) {
  std::vector<std::string_view> known;
  for (const auto& row : run_options()) known.push_back(row.word.name);
  return fmt::format("{}:{}: unknown option '{}'{}", path, line.line, one_line(line.option),
                     did_you_mean(line.option, known, "; see graced run --help"));
}

}  // namespace

Place place_of(const Layer& layer, std::string_view option) {
  const auto values = layer.find(option);
  return values == layer.end() || values->second.empty() ? Place{} : values->second.front().place;
}

std::string with_place(const GivenValue& value, const std::string& why) {
  return value.place.layer == Place::Layer::command_line ? why : fmt::format("{}: {}", value.origin, why);
}

Layer command_line_layer(const ParsedWords& words, Complaints& complaints) {
  Layer layer;
  for (const auto& wrong : words.wrong) complaints.add({Place::Layer::command_line, wrong.at}, wrong.why);
  for (const auto& given : words.options) {
    const auto row = find_run_option(given.name);
    if (row == nullptr) continue;  // --help and --version are no values
    auto& values = layer[row->word.name];
    const Place place{Place::Layer::command_line, given.at};
    if (!values.empty() && !row->repeatable) {
      complaints.add(place, fmt::format("--{} is given twice", given.name));
      continue;
    }
    values.push_back(
        {given.value, "command line", fmt::format("--{} {}", given.name, one_line(given.value)), place});
  }
  if (!words.rest.empty()) {
    const auto line = join_shell_words(words.rest);
    layer[command_option].push_back(
        {line, "command line", one_line(line), {Place::Layer::command_line, after_all_options}});
  }
  return layer;
}

Layer environment_layer(const std::vector<std::string>& environment, std::vector<std::string>& notes,
                        Complaints& complaints) {
  // Set by a graced for its workers: we are inside of one, and what it tells them of itself is not meant for
  // us.
  const bool inside_worker = find_variable(environment, "GRACED_WORKER").has_value();

  Layer layer;
  Place place{Place::Layer::environment};
  for (const auto& assignment : environment) {
    ++place.number;
    if (!assignment.starts_with(prefix)) continue;
    const auto equals = assignment.find('=');
    const auto name = assignment.substr(0, equals);
    if (name == "GRACED_GENERATION" || name == "GRACED_WORKER" || equals == std::string::npos) continue;
    if (inside_worker && told_to_worker(name)) continue;

    const auto row = std::ranges::find_if(
        run_options(), [&](const OptionRow& each) { return variable_name(each.word.name) == name; });
    if (row == run_options().end()) {
      note_unknown_variable(name, notes);
      continue;
    }
    // An empty variable is how many a launcher says "not set"; of a name that occurs twice the first
    // counts, as for getenv(3).
    const auto text = assignment.substr(equals + 1);
    if (text.empty() || layer.contains(row->word.name)) continue;
    const auto where = fmt::format("{}={}", name, one_line(text));
    try {
      for (const auto& value : values_of(*row, text, where))
        layer[row->word.name].push_back({value, name, where, place});
    } catch (const UsageError& why) { complaints.add(place, why); }
  }
  return layer;
}

Layer config_layer(const GivenValue& config, const ReadText& read, Complaints& complaints) {
  const auto& path = config.text;
  std::vector<ConfigLine> lines;
  try {
    lines = parse_config_file(read(path), path, complaints);
  } catch (const std::exception& why) {
    complaints.add(config.place, fmt::format("{}: {}", config.where, why.what()));
  }

  Layer layer;
  std::map<std::string_view, unsigned> line_of;
  for (const auto& line : lines) {
    const Place place{Place::Layer::file, line.line};
    if (line.option == config_option) {
      complaints.add(place, fmt::format("{}:{}: config: one file cannot name another", path, line.line));
      continue;
    }
    const auto* row = find_run_option(line.option);
    if (row == nullptr) {
      complaints.add(place, unknown_in_file(line, path));
      continue;
    }
    auto& values = layer[row->word.name];
    if (!values.empty() && !row->repeatable) {
      complaints.add(place, fmt::format("{}:{}: {} is set in line {} already", path, line.line, line.option,
                                        line_of[row->word.name]));
      continue;
    }
    line_of[row->word.name] = line.line;
    values.push_back({line.value, fmt::format("{}:{}", path, line.line),
                      fmt::format("{}:{}: {} = {}{}", path, line.line, line.option, one_line(line.value),
                                  line.before_comment ? " (here a comment begins)" : ""),
                      place});
  }
  return layer;
}

}  // namespace graced
