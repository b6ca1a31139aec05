// From layers of text to values, and what only the whole of them can tell.
#include "options/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <stdexcept>

#include "core/start_limit.h"
#include "options/choice_values.h"
#include "options/env_file.h"
#include "options/given_values.h"
#include "options/one_line.h"
#include "options/option_table.h"
#include "options/option_values.h"
#include "options/read_options.h"

namespace graced {

namespace {

// Leaves those that are right.
void read_values(RunOptions& options, const OptionRow& row, std::vector<GivenValue>& values,
                 Complaints& complaints) {
  std::erase_if(values, [&](const GivenValue& value) {
    try {
      row.read(options, value.text);
      return false;
    } catch (const std::invalid_argument& why) {
      complaints.add(value.place, fmt::format("{}: {}", value.where, one_line(why.what(), 500)));
      return true;
    }
  });
}

void read_env_files(RunOptions& options, const std::vector<GivenValue>& files, const ReadText& read,
                    Complaints& complaints) {
  std::vector<std::string> variables;
  for (const auto& file : files) {
    try {
      std::ranges::copy(read_env_file(file.text, read), std::back_inserter(variables));
    } catch (const UsageError& why) { complaints.add(file.place, why); } catch (const std::exception& why) {
      complaints.add(file.place, fmt::format("{}: {}", file.where, why.what()));
    }
  }
  options.environment.insert(options.environment.begin(), variables.begin(), variables.end());
}

// Where something is wrong with the lines, the command may be in one of them.
void require_command(const RunOptions& options, const ParsedWords& words, Complaints& complaints) {
  if (!options.command.empty() || words.cut_short || complaints.any_of(Complaints::Kind::usage)) return;
  complaints.add({},
                 "no command to run: put it last, as in graced run -l 8080 -- ./app, or as command = ./app "
                 "into a --config file");
}

void settle_name(RunOptions& options, const GivenValues& given, Complaints& complaints) {
  if (!options.name.empty() || options.command.empty()) return;
  const auto& path = options.command.front();
  const auto last = path.substr(path.find_last_not_of('/') == std::string::npos ? 0 : path.rfind('/') + 1);
  try {
    options.name = read_name(last);
  } catch (const std::invalid_argument&) {
    complaints.add(
        place_of(given, command_option),
        fmt::format("the command '{}' gives no name to this instance, give one with --name", one_line(path)));
  }
}

// Port 0 is another port each time.
void check_listen(const RunOptions& options, const std::vector<GivenValue>& values, Complaints& complaints) {
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < options.listen.size(); ++i) {
    const auto& spec = options.listen[i];
    const bool port_of_choice =
        (spec.kind == AddressKind::tcp || spec.kind == AddressKind::udp) && spec.port == 0;
    if (port_of_choice) continue;
    const auto [first, fresh] = seen.try_emplace(spec.address(), i);
    if (fresh) continue;
    complaints.add(values[i].place, fmt::format("{}: this address is listened on already ({})", values[i].where,
                                                values[first->second].where));
  }
}

void check_ready(const RunOptions& options, const GivenValues& given, Complaints& complaints) {
  const auto& policy = options.policy;
  if (policy.ready != ReadyRule::after || policy.ready_after < policy.ready_timeout) return;
  complaints.add(
      place_of(given, "ready"),
      fmt::format("--ready after:{} is not before --ready-timeout {}, so no candidate would ever be ready",
                  to_text(policy.ready_after), to_text(policy.ready_timeout)));
}

void check_probes(const RunOptions& options, const std::vector<GivenValue>& values, Complaints& complaints) {
  const Duration limit = options.policy.ready_timeout;
  for (std::size_t i = 0; i < options.probes.size(); ++i) {
    const ProbeRule& rule = options.probes[i].rule;
    const Duration least = rule.start_delay + (rule.passes - 1) * rule.interval;
    if (least < limit) continue;
    complaints.add(
        values[i].place,
        fmt::format("{}: it passes after {} at the earliest, which is not before --ready-timeout {}, so no "
                    "candidate would ever serve",
                    values[i].where, to_text(least), to_text(limit)));
  }
}

// When the last of them serves the old ones are gone.
void check_max_surge(const RunOptions& options, const GivenValues& given, Complaints& complaints) {
  const auto& policy = options.policy;
  if (!policy.max_surge.limits() || policy.probation == 0s) return;
  complaints.add(
      place_of(given, "max-surge"),
      fmt::format("--max-surge {} and --probation {} cannot be had together: with batches nobody is left of "
                  "the generation before who could stand by",
                  to_text(policy.max_surge), to_text(policy.probation)));
}

// What is to be told line by line must come through graced, unless it is said by name that it does not.
void settle_output(RunOptions& options, const GivenValues& given) {
  if (options.output == OutputChoice::plain) return;
  if (!given.contains("stdout")) options.watch_stdout = true;
  if (!options.watch_stdout && !options.watch_stderr)
    options.notes.push_back(fmt::format("--output {} has no effect: neither --stdout nor --stderr is watch",
                                        to_text(options.output)));
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

void note_gate(RunOptions& options) {
  if (options.gate.empty() || !options.policy.canary.empty()) return;
  options.notes.push_back("--gate has no effect without --canary: it is run at the end of each step of that");
}

// The new server's sockets are its own, as those of the one that runs are.
void check_take(RunOptions& options, const GivenValues& given, Complaints& complaints) {
  if (!options.take) {
    if (!options.take_stop.empty()) options.notes.push_back("--take-stop has no effect without --take");
    return;
  }
  const GivenValue& value = given.at("take").front();
  if (options.adopt == AdoptChoice::off) {
    complaints.add(value.place,
                   fmt::format("{}: what is taken over goes to workers that bind it themselves, so it "
                               "cannot be had with --adopt off",
                               value.where));
  } else if (options.adopt == AdoptChoice::automatic && !options.listen.empty()) {
    complaints.add(value.place,
                   fmt::format("{}: what is taken over goes to workers that bind it themselves: leave out "
                               "--listen, or say --adopt on for what the workers bind beside it",
                               value.where));
  }
  if (options.take->kind == TakeTarget::Kind::process && value.place.layer == Place::Layer::file)
    options.notes.push_back(
        fmt::format("{}: {} is another process's number one day: name the unit, or the address", value.where,
                    options.take->pid));
}

}  // namespace

std::vector<Setting> settings_of(const RunOptions& options, const GivenValues& given) {
  std::vector<Setting> settings;
  for (const auto& row : run_options()) {
    const std::string name{row.word.name};
    const auto values = given.find(row.word.name);
    const bool by_default = values == given.end();
    if (row.repeatable && !by_default) {
      for (const auto& value : values->second) settings.push_back({name, value.text, value.who});
      continue;
    }
    auto text = row.repeatable ? std::string{} : row.show(options);
    if (text.empty()) text = row.unset;
    // What auto came to is the news, that it was auto explains it.
    if (!by_default && values->second.front().text == "auto" && text != "auto") text += " (auto)";
    settings.push_back({name, text, by_default ? "default" : values->second.front().who});
  }
  return settings;
}

RunOptions load_run_options(const std::vector<std::string>& args, const std::vector<std::string>& environment,
                            std::vector<Setting>* settings) {
  return load_run_options(parse_words(args, run_words(), RestRule::ends_options, "run"), environment, settings);
}

RunOptions load_run_options(const ParsedWords& words, const std::vector<std::string>& environment,
                            std::vector<Setting>* settings, const ReadText& read) {
  ReadOptions found = read_run_options(words, environment, read);
  found.complaints.throw_if_any();
  if (settings) *settings = settings_of(found.options, found.given);
  return std::move(found.options);
}

ReadOptions read_run_options(const ParsedWords& words, const std::vector<std::string>& environment,
                             const ReadText& read) {
  ReadOptions found;
  auto& [options, given, complaints] = found;
  given = given_values(words, environment, read, options.notes, complaints);

  for (const auto& row : run_options()) {
    const auto values = given.find(row.word.name);
    if (values == given.end()) continue;
    read_values(options, row, values->second, complaints);
    if (values->second.empty()) given.erase(values);
  }
  if (const auto files = given.find("env-file"); files != given.end())
    read_env_files(options, files->second, read, complaints);
  require_command(options, words, complaints);
  settle_name(options, given, complaints);
  if (const auto listen = given.find("listen"); listen != given.end())
    check_listen(options, listen->second, complaints);
  check_ready(options, given, complaints);
  if (const auto probes = given.find("probe"); probes != given.end())
    check_probes(options, probes->second, complaints);
  check_max_surge(options, given, complaints);
  settle_output(options, given);
  note_start_limit(options);
  note_drain_idle(options);
  note_gate(options);
  check_take(options, given, complaints);
  return found;
}

}  // namespace graced
