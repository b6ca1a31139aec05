// From layers of text to values, and what only the whole of them can tell.
#include "options/options.h"

#include <fmt/format.h>

#include <map>

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "core/start_limit.h"
#include "options/env_file.h"
#include "options/one_line.h"
#include "options/option_layers.h"
#include "options/option_table.h"
#include "options/option_values.h"

namespace graced {

namespace {

// Of each option the values of the highest layer that has any.
Layer merge(const ParsedWords& words, const std::vector<std::string>& environment,
            std::vector<std::string>& notes, const ReadText& read) {
  Layer merged = command_line_layer(words);
  merged.merge(environment_layer(environment, notes));
  if (const auto config = merged.find(config_option); config != merged.end()) {
    merged.merge(config_layer(config->second.front(), read));
  }
  return merged;
}

void read_values(RunOptions& options, const OptionRow& row, const std::vector<GivenValue>& values) {
  for (const auto& value : values) {
    try {
      row.read(options, value.text);
    } catch (const std::invalid_argument& why) {
      throw UsageError{fmt::format("{}: {}", value.where, one_line(why.what(), 500))};
    }
  }
}

void read_env_files(RunOptions& options, const std::vector<GivenValue>& files, const ReadText& read) {
  std::vector<std::string> variables;
  for (const auto& file : files) {
    try {
      std::ranges::copy(read_env_file(file.text, read), std::back_inserter(variables));
    } catch (const UsageError&) { throw; } catch (const std::exception& why) {
      throw UsageError{fmt::format("{}: {}", file.where, why.what())};
    }
  }
  options.environment.insert(options.environment.begin(), variables.begin(), variables.end());
}

void settle_name(RunOptions& options) {
  if (options.command.empty()) {
    throw UsageError{
        "no command to run: put it last, as in graced run -l 8080 -- ./app, or as command = ./app into a "
        "--config file"};
  }
  if (!options.name.empty()) return;
  const auto& path = options.command.front();
  const auto last = path.substr(path.find_last_not_of('/') == std::string::npos ? 0 : path.rfind('/') + 1);
  try {
    options.name = read_name(last);
  } catch (const std::invalid_argument&) {
    throw UsageError{
        fmt::format("the command '{}' gives no name to this instance, give one with --name", one_line(path))};
  }
}

// Port 0 is another port each time.
void check_listen(const RunOptions& options, const std::vector<GivenValue>& values) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < options.listen.size(); ++i) {
    const auto& spec = options.listen[i];
    const bool port_of_choice =
        (spec.kind == AddressKind::tcp || spec.kind == AddressKind::udp) && spec.port == 0;
    if (port_of_choice) continue;
    const auto [first, fresh] = seen.try_emplace(spec.address(), i);
    if (fresh) continue;
    throw UsageError{fmt::format("{}: this address is listened on already ({})", values[i].where,
                                 values[first->second].where)};
  }
}

void check_ready(const RunOptions& options) {
  const auto& policy = options.policy;
  if (policy.ready != ReadyRule::after || policy.ready_after < policy.ready_timeout) return;
  throw UsageError{
      fmt::format("--ready after:{} is not before --ready-timeout {}, so no candidate would ever be ready",
                  to_text(policy.ready_after), to_text(policy.ready_timeout))};
}

void note_start_limit(RunOptions& options) {
  const auto& policy = options.policy;
  if (policy.restart == RestartRule::never || start_limit_can_be_reached(policy)) return;
  options.notes.push_back(fmt::format(
      "--start-limit {}/{} is never reached: --restart-delay {}, which doubles up to {}, leaves room for "
      "fewer exits in that time",
      policy.start_limit, to_text(policy.start_limit_window), to_text(policy.restart_delay),
      to_text(policy.restart_delay_limit)));
}

void note_drain_idle(RunOptions& options) {
  if (options.drain != DrainChoice::signal || options.policy.drain_idle == infinity) return;
  options.notes.push_back("--drain-idle has no effect with --drain signal: the worker is told at once");
}

std::vector<Setting> settings_of(const RunOptions& options, const Layer& given) {
  std::vector<Setting> settings;
  for (const auto& row : run_options()) {
    const std::string name{row.word.name};
    const auto values = given.find(row.word.name);
    const bool by_default = values == given.end();
    if (row.repeatable && !by_default) {
      for (const auto& value : values->second) settings.push_back({name, value.text, value.origin});
      continue;
    }
    auto text = row.repeatable ? std::string{} : row.show(options);
    if (text.empty()) text = row.unset;
    // What auto came to is the news, that it was auto explains it.
    if (!by_default && values->second.front().text == "auto" && text != "auto") text += " (auto)";
    settings.push_back({name, text, by_default ? "default" : values->second.front().origin});
  }
  return settings;
}

}  // namespace

RunOptions load_run_options(const std::vector<std::string>& args, const std::vector<std::string>& environment,
                            std::vector<Setting>* settings) {
  return load_run_options(parse_words(args, run_words(), RestRule::ends_options, "run"), environment, settings);
}

RunOptions load_run_options(const ParsedWords& words, const std::vector<std::string>& environment,
                            std::vector<Setting>* settings, const ReadText& read) {
  RunOptions options;
  const auto given = merge(words, environment, options.notes, read);

  for (const auto& row : run_options()) {
    if (const auto values = given.find(row.word.name); values != given.end()) {
      read_values(options, row, values->second);
    }
  }
  if (const auto files = given.find("env-file"); files != given.end())
    read_env_files(options, files->second, read);
  settle_name(options);
  if (const auto listen = given.find("listen"); listen != given.end()) check_listen(options, listen->second);
  check_ready(options);
  note_start_limit(options);
  note_drain_idle(options);
  if (settings) *settings = settings_of(options, given);
  return options;
}

}  // namespace graced
