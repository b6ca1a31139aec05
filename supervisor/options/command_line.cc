// The first word is the command; what follows is read by that command's table.
#include "options/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "core/bad_value.h"
#include "core/number.h"
#include "core/suggest.h"
#include "options/command_table.h"
#include "options/environment.h"
#include "options/help.h"
#include "options/one_line.h"
#include "options/option_values.h"
#include "options/options.h"

namespace graced {

namespace {

using Words = std::vector<std::string>;

bool given(const ParsedWords& parsed, std::string_view option) {
  return std::ranges::find(parsed.options, option, &GivenWord::name) != parsed.options.end();
}

std::optional<std::string> value_of(const ParsedWords& parsed, std::string_view option) {
  const auto count = std::ranges::count(parsed.options, option, &GivenWord::name);
  if (count > 1) throw UsageError{fmt::format("--{} is given twice", option)};
  const auto at = std::ranges::find(parsed.options, option, &GivenWord::name);
  if (at == parsed.options.end()) return std::nullopt;
  return at->value;
}

// Reads a value as options do, and names it where it is wrong.
template <class Read>
auto read_as(std::string_view where, const std::string& text, Read read) {
  try {
    return read(text);
  } catch (const std::invalid_argument& why) {
    throw UsageError{fmt::format("{} {}: {}", where, one_line(text), one_line(why.what()))};
  }
}

Target target_of(const CommandRow& command, const ParsedWords& parsed, const Words& environment) {
  const auto control = value_of(parsed, "control");
  if (parsed.rest.size() > 1) {
    throw UsageError{
        fmt::format("{} takes one NAME, '{}' is one too many", command.name, one_line(parsed.rest[1]))};
  }
  if (!parsed.rest.empty() && control) {
    throw UsageError{fmt::format("'{}' and --control both say which instance, give one of them",
                                 one_line(parsed.rest.front()))};
  }
  if (!parsed.rest.empty()) return {read_as("NAME", parsed.rest.front(), read_name), std::nullopt};
  if (control) return {std::nullopt, read_as("--control", *control, read_path)};

  // The command line is above the environment as a whole, and a path is more exact than a name.
  for (const auto* variable : {"GRACED_CONTROL", "GRACED_NAME"}) {
    const auto value = find_variable(environment, variable);
    if (!value || value->empty()) continue;
    if (std::string_view{variable} == "GRACED_CONTROL") return {std::nullopt, value};
    return {read_as("GRACED_NAME", *value, read_name), std::nullopt};
  }
  return {};
}

std::vector<Target> targets_of(const CommandRow& command, ParsedWords parsed, const Words& environment) {
  if (parsed.rest.size() < 2) return {target_of(command, parsed, environment)};
  std::vector<Target> targets;
  for (const std::string& name : std::exchange(parsed.rest, {})) {
    parsed.rest = {name};
    Target target = target_of(command, parsed, environment);
    if (std::ranges::find(targets, target) == targets.end()) targets.push_back(std::move(target));
  }
  return targets;
}

std::size_t read_jobs(const std::string& text) {
  constexpr std::size_t most = 256;
  const auto jobs = parse_number<std::size_t>(text, 1, most);
  if (!jobs) throw std::invalid_argument(fmt::format("not a number from 1 to {}", most));
  return *jobs;
}

void no_target_beside_all(const ParsedWords& parsed) {
  if (!parsed.rest.empty())
    throw UsageError{
        fmt::format("--all and '{}' both say which instance, give one of them", one_line(parsed.rest.front()))};
  if (given(parsed, "control"))
    throw UsageError{"--all and --control both say which instance, give one of them"};
}

std::optional<ReloadAll> all_of(const ParsedWords& parsed, const Patience& patience) {
  const auto jobs = value_of(parsed, "jobs");
  const bool stop = given(parsed, "stop-at-first-failure");
  if (!given(parsed, "all")) {
    if (jobs || stop)
      throw UsageError{fmt::format("--{} is for --all", jobs ? "jobs" : "stop-at-first-failure")};
    return std::nullopt;
  }
  no_target_beside_all(parsed);
  if (given(parsed, "settled")) throw UsageError{"--settled is for one instance, not for --all"};
  if (patience.no_wait && (jobs || stop))
    throw UsageError{
        fmt::format("--{} waits for outcomes, --no-wait does not", jobs ? "jobs" : "stop-at-first-failure")};
  ReloadAll all{.stop_at_first_failure = stop};
  if (jobs) all.at_once = read_as("--jobs", *jobs, read_jobs);
  return all;
}

std::vector<InstanceEvent::Kind> read_events(const std::string& text) {
  std::vector<InstanceEvent::Kind> kinds;
  std::string_view words = text;
  for (;;) {
    const auto comma = words.find(',');
    const std::string_view word = words.substr(0, comma);
    const auto kind = instance_event_kind(word);
    if (!kind)
      throw bad("no event is called '{}'{}", word,
                did_you_mean(word, instance_event_kinds(), "; graced-json(7) has them"));
    kinds.push_back(*kind);
    if (comma == std::string_view::npos) return kinds;
    words.remove_prefix(comma + 1);
  }
}

// Of all that run here, whatever the environment says: that is where one among them has been started.
EventsCommand events_of(const ParsedWords& parsed) {
  EventsCommand events{.json = given(parsed, "json")};
  const auto control = value_of(parsed, "control");
  if (!parsed.rest.empty() && control) {
    throw UsageError{fmt::format("'{}' and --control both say which instance, give one of them",
                                 one_line(parsed.rest.front()))};
  }
  for (const std::string& name : parsed.rest) events.names.push_back(read_as("NAME", name, read_name));
  if (control) events.control = read_as("--control", *control, read_path);
  if (const auto until = value_of(parsed, "until")) events.until = read_as("--until", *until, read_events);
  if (const auto timeout = value_of(parsed, "timeout"))
    events.timeout = read_as("--timeout", *timeout, read_time);
  if (events.timeout == infinity) events.timeout.reset();
  return events;
}

Patience patience_of(const ParsedWords& parsed) {
  Patience patience;
  patience.no_wait = given(parsed, "no-wait");
  if (const auto wait = value_of(parsed, "wait")) patience.wait = read_as("--wait", *wait, read_time);
  if (patience.wait && patience.no_wait) throw UsageError{"--wait and --no-wait contradict each other"};
  if (patience.wait == infinity) patience.wait.reset();
  return patience;
}

ReloadCommand reload_of(Target target, const ParsedWords& parsed) {
  ReloadCommand reload{std::move(target), patience_of(parsed), given(parsed, "settled")};
  if (reload.settled && reload.patience.no_wait)
    throw UsageError{"--settled and --no-wait contradict each other"};
  return reload;
}

// A relative path is one of the asker's, and the instance has another directory.
std::string binary_of(const ParsedWords& parsed) {
  const auto binary = value_of(parsed, "binary");
  if (!binary) return "";
  return std::filesystem::absolute(read_as("--binary", *binary, read_path)).lexically_normal();
}

UpgradeCommand upgrade_of(const CommandRow& command, const ParsedWords& parsed, const Words& environment) {
  UpgradeCommand upgrade{.binary = binary_of(parsed), .check_only = given(parsed, "check")};
  if (const auto wait = value_of(parsed, "wait")) upgrade.wait = read_as("--wait", *wait, read_time);
  if (upgrade.wait == infinity) upgrade.wait.reset();
  if (given(parsed, "opted-in") && !given(parsed, "all")) throw UsageError{"--opted-in is for --all"};
  if (!given(parsed, "all")) {
    upgrade.target = target_of(command, parsed, environment);
    return upgrade;
  }
  no_target_beside_all(parsed);
  upgrade.whom = given(parsed, "opted-in") ? UpgradeWhom::opted_in : UpgradeWhom::all;
  return upgrade;
}

StatusView view_of(const ParsedWords& parsed) {
  StatusView view = StatusView::text;
  std::string_view chosen;
  for (const auto& [option, asked] :
       {std::pair{"json", StatusView::json}, std::pair{"ready", StatusView::ready},
        std::pair{"alive", StatusView::alive}}) {
    if (!given(parsed, option)) continue;
    if (!chosen.empty())
      throw UsageError{fmt::format("--{} and --{} cannot both be told at once", chosen, option)};
    chosen = option;
    view = asked;
  }
  return view;
}

// What other tools of its kind call a thing, and how it is had here.
constexpr auto words_elsewhere = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"start", "graced run [OPTIONS] -- COMMAND starts one"},
    {"restart",
     "graced reload starts the next generation without a gap; graced upgrade has another graced itself take "
     "over; to start it anew: graced stop, then graced run"},
    {"ps", "graced list shows what runs here, graced status the workers of one"},
    {"ls", "graced list shows what runs here"},
    {"cancel", "graced abort ends a reload that runs"},
    {"undo", "graced rollback goes back to the generation that stands by"},
    {"revert", "graced rollback goes back to the generation that stands by"},
    {"kill", "graced stop ends an instance, graced hammer what still drains"},
});

TopSort read_sort(const std::string& text) {
  const auto at =
      std::ranges::find(top_sorts, std::string_view(text), &std::pair<std::string_view, TopSort>::first);
  if (at != top_sorts.end()) return at->second;
  std::vector<std::string_view> known;
  for (const auto& [name, sort] : top_sorts) known.push_back(name);
  throw std::invalid_argument(fmt::format("no such key, there are {}", fmt::join(known, ", ")));
}

// The environment names an instance for commands that need one; this one needs none.
TopCommand top_of(const CommandRow& command, const ParsedWords& parsed, const Words& environment,
                  const Words& words) {
  TopCommand top{.words = words};
  if (!parsed.rest.empty() || given(parsed, "control")) top.target = target_of(command, parsed, environment);
  if (const auto sort = value_of(parsed, "sort")) top.sort = read_as("--sort", *sort, read_sort);
  return top;
}

[[noreturn]] void unknown_command(const std::string& word) {
  const auto shown = one_line(word);
  if (word.starts_with('-')) {
    throw UsageError{
        fmt::format("'{}' comes before any command; to run a server: graced run {} …", shown, shown)};
  }
  if (word.find('/') != std::string::npos) {
    throw UsageError{fmt::format("unknown command '{}'; to run it: graced run -- {}", shown, shown)};
  }
  const auto elsewhere = std::ranges::find(words_elsewhere, std::string_view(word),
                                           &std::pair<std::string_view, std::string_view>::first);
  if (elsewhere != words_elsewhere.end())
    throw UsageError{fmt::format("unknown command '{}'; {}", shown, elsewhere->second)};
  std::vector<std::string_view> known{"help"};
  for (const auto& command : command_table()) known.push_back(command.name);
  throw UsageError{
      fmt::format("unknown command '{}'{}", shown, did_you_mean(word, known, "; see graced --help"))};
}

std::optional<unsigned> last_of(const ParsedWords& parsed) {
  const auto last = value_of(parsed, "last");
  if (!last) return std::nullopt;
  return read_as("--last", *last, [](const std::string& n) { return read_count(n, 1, 1'000'000); });
}

ParsedCommand help_for(const Words& words, std::size_t columns) {
  if (words.empty() || words.front().starts_with('-')) return HelpCommand{help_text(columns)};
  const auto command = find_command(words.front());
  if (command == nullptr && words.front() != "help") unknown_command(words.front());
  return HelpCommand{command == nullptr ? help_text(columns) : help_text(*command, columns)};
}

}  // namespace

ParsedCommand parse_command_line(const Words& args, const Words& environment, std::size_t terminal) {
  const std::size_t columns = help_columns(find_variable(environment, "COLUMNS").value_or(""), terminal);
  if (args.empty()) return HelpCommand{help_text(columns)};
  const auto& first = args.front();
  const Words words{args.begin() + 1, args.end()};
  if (first == "--version" || first == "-V" || first == "version") return VersionCommand{};
  if (first == "help" || first == "--help" || first == "-h") return help_for(words, columns);

  const auto command = find_command(first);
  if (command == nullptr) unknown_command(first);

  const bool runs = command->kind == CommandKind::run || command->kind == CommandKind::check;
  // What is wrong there is told together with what is wrong elsewhere.
  auto parsed = runs ? parse_words_or_tell(words, words_of(*command), RestRule::ends_options, command->name)
                     : parse_words(words, words_of(*command), RestRule::anywhere, command->name);
  if (given(parsed, "help")) return HelpCommand{help_text(*command, columns)};
  if (given(parsed, "version")) return VersionCommand{};

  switch (command->kind) {
    case CommandKind::run:
      return RunCommand{std::move(parsed)};
    case CommandKind::check:
      return CheckCommand{std::move(parsed)};
    case CommandKind::reload: {
      const Patience patience = patience_of(parsed);
      if (const auto all = all_of(parsed, patience)) return ReloadCommand{{}, patience, false, all};
      return reload_of(target_of(*command, parsed, environment), parsed);
    }
    case CommandKind::rollback:
      return RollbackCommand{target_of(*command, parsed, environment)};
    case CommandKind::abort:
      return AbortCommand{target_of(*command, parsed, environment)};
    case CommandKind::stop:
      return StopCommand{target_of(*command, parsed, environment), patience_of(parsed)};
    case CommandKind::upgrade:
      return upgrade_of(*command, parsed, environment);
    case CommandKind::hammer:
      return HammerCommand{target_of(*command, parsed, environment)};
    case CommandKind::status:
      return StatusCommand{targets_of(*command, parsed, environment), view_of(parsed)};
    case CommandKind::history:
      return HistoryCommand{target_of(*command, parsed, environment), given(parsed, "json"), last_of(parsed)};
    case CommandKind::events:
      return events_of(parsed);
    case CommandKind::logs:
      return LogsCommand{target_of(*command, parsed, environment), given(parsed, "follow"), last_of(parsed)};
    case CommandKind::list:
      if (!parsed.rest.empty()) {
        throw UsageError{fmt::format("list takes no NAME; for one instance: graced status {}",
                                     one_line(parsed.rest.front()))};
      }
      return ListCommand{given(parsed, "json")};
    case CommandKind::top:
      return top_of(*command, parsed, environment, words);
  }
  return HelpCommand{help_text(columns)};
}

}  // namespace graced
