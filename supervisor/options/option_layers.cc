// Boost.Program_options finds the variables. Words and lines it has taken apart in option_words.cc and
// config_file.cc.
#include "options/option_layers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <cctype>
#include <limits>
#include <stdexcept>
#include <utility>

#include "core/suggest.h"
#include "options/config_file.h"
#include "options/environment.h"
#include "options/one_line.h"
#include "options/option_table.h"
#include "options/options.h"
#include "options/shell_words.h"

namespace graced {

namespace {

namespace po = boost::program_options;

constexpr std::string_view prefix = "GRACED_";
constexpr unsigned after_all_options = std::numeric_limits<unsigned>::max();

std::string variable_name(std::string_view option) {
  std::string name{prefix};
  for (const char c : option) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

// What a graced tells its workers and its hooks, and is no option.
bool is_told_only(std::string_view name) {
  static constexpr auto told = std::to_array<std::string_view>(
      {"GRACED_GENERATION", "GRACED_WORKER", "GRACED_EVENT", "GRACED_EVENT_TIME", "GRACED_SERVING",
       "GRACED_REASON", "GRACED_CANARY_SHARE", "GRACED_CANARY_STEP", "GRACED_CANARY_STEPS"});
  return std::ranges::find(told, name) != told.end();
}

// A repeated option takes all its values from one variable, as words of a shell.
std::vector<std::string> values_of(const OptionRow& row, const std::string& text, const std::string& where) {
  if (!row.repeatable) return {text};
  try {
    return split_shell_words(text);
  } catch (const std::invalid_argument& why) { throw UsageError{fmt::format("{}: {}", where, why.what())}; }
}

void note_unknown_variable(std::string_view name, std::vector<std::string>& notes) {
  std::vector<std::string> names;
  for (const auto& row : run_options()) names.push_back(variable_name(row.word.name).substr(prefix.size()));
  const std::vector<std::string_view> known{names.begin(), names.end()};
  notes.push_back(fmt::format("{} in the environment is no option{}", one_line(name),
                              did_you_mean(name.substr(prefix.size()), known, "", prefix)));
}

std::string unknown_in_file(const ConfigLine& line, const std::string& who) {
  std::vector<std::string_view> known;
  for (const auto& row : run_options()) known.push_back(row.word.name);
  return fmt::format("{}: unknown option '{}'{}", who, one_line(line.option),
                     did_you_mean(line.option, known, "; see graced run --help"));
}

// Boost reads the environment of the process and no other. So it is another one meanwhile; graced has one
// thread, and nobody else looks.
class Surroundings {
 public:
  explicit Surroundings(const std::vector<std::string>& assignments) {
    for (const auto& each : assignments) variables_.push_back(const_cast<char*>(each.c_str()));
    variables_.push_back(nullptr);
    own_ = std::exchange(environ, variables_.data());
  }
  ~Surroundings() { environ = own_; }
  Surroundings(const Surroundings&) = delete;
  Surroundings& operator=(const Surroundings&) = delete;

 private:
  std::vector<char*> variables_;
  char** own_;
};

// Where a second one is wrong; null: this is the first, or there may be many.
const Said* said_before(const Layer& layer, const OptionRow& row) {
  const auto before = std::ranges::find(layer, row.word.name, &Said::option);
  return row.repeatable || before == layer.end() ? nullptr : &*before;
}

}  // namespace

Layer command_line_layer(const ParsedWords& words, Complaints& complaints) {
  Layer layer;
  for (const auto& wrong : words.wrong) complaints.add({Place::Layer::command_line, wrong.at}, wrong.why);
  for (const auto& given : words.options) {
    const auto* row = find_run_option(given.name);
    if (row == nullptr) continue;  // --help and --version are no values
    const Place place{Place::Layer::command_line, given.at};
    if (said_before(layer, *row)) {
      complaints.add(place, fmt::format("--{} is given twice", given.name));
      continue;
    }
    layer.push_back({given.name,
                     given.value,
                     {"command line", fmt::format("--{} {}", given.name, one_line(given.value)), place}});
  }
  if (!words.rest.empty()) {
    const auto line = join_shell_words(words.rest);
    layer.push_back({std::string{command_option},
                     line,
                     {"command line", one_line(line), {Place::Layer::command_line, after_all_options}}});
  }
  return layer;
}

Layer environment_layer(const std::vector<std::string>& environment, std::vector<std::string>& notes,
                        Complaints& complaints) {
  // Set by a graced for its workers, or for a hook: we are inside of one, and what it tells them of itself is
  // not meant for us.
  const bool inside_worker = find_variable(environment, "GRACED_WORKER").has_value() ||
                             find_variable(environment, "GRACED_EVENT").has_value();
  std::vector<std::string> assignments;
  std::ranges::copy_if(environment, std::back_inserter(assignments),
                       [](const std::string& each) { return each.find('=') != std::string::npos; });

  std::vector<Origin> origins;  // of each variable that is an option
  Place place{Place::Layer::environment};
  const auto option_of = [&](const std::string& name) -> std::string {
    ++place.number;
    if (!name.starts_with(prefix) || is_told_only(name)) return {};
    const auto row = std::ranges::find_if(
        run_options(), [&](const OptionRow& each) { return variable_name(each.word.name) == name; });
    if (row == run_options().end()) {
      note_unknown_variable(name, notes);
      return {};
    }
    if (inside_worker && row->told_to_workers) return {};
    origins.push_back({name, "", place});
    return std::string{row->word.name};
  };
  const po::options_description anything;
  const auto variables = [&] {
    const Surroundings surroundings{assignments};
    return po::parse_environment(anything, option_of).options;
  }();

  Layer layer;
  for (auto origin = origins.begin(); const auto& variable : variables) {
    Origin& said_here = *origin++;
    const auto& text = variable.value.front();
    // An empty variable is how many a launcher says "not set"; of a name that occurs twice the first
    // counts, as for getenv(3).
    if (text.empty() || std::ranges::find(layer, variable.string_key, &Said::option) != layer.end()) continue;
    said_here.where = fmt::format("{}={}", said_here.who, one_line(text));
    try {
      for (const auto& value : values_of(*find_run_option(variable.string_key), text, said_here.where))
        layer.push_back({variable.string_key, value, said_here});
    } catch (const UsageError& why) { complaints.add(said_here.place, why); }
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
  for (const auto& line : lines) {
    const Place place{Place::Layer::file, line.line};
    const auto who = fmt::format("{}:{}", path, line.line);
    const auto* row = find_run_option(line.option);
    if (line.option == config_option) {
      complaints.add(place, fmt::format("{}: config: one file cannot name another", who));
    } else if (row == nullptr) {
      complaints.add(place, unknown_in_file(line, who));
    } else if (const auto* before = said_before(layer, *row)) {
      complaints.add(place, fmt::format("{}: {} is set in line {} already", who, line.option,
                                        before->origin.place.number));
    } else {
      const auto where = fmt::format("{}: {} = {}{}", who, line.option, one_line(line.value),
                                     line.before_comment ? " (here a comment begins)" : "");
      layer.push_back({line.option, line.value, {who, where, place}});
    }
  }
  return layer;
}

}  // namespace graced
