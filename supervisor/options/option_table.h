// Every option of `graced run`, once. Parsing, help, `graced check` and "did you mean" read this table. A new
// option is a row of it and a field for the value; CONTRIBUTING.md has the rest of what to do.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "options/option_words.h"
#include "options/options.h"

namespace graced {

struct OptionRow {
  WordOption word;           // its name is also NAME = in the file and GRACED_NAME in the environment
  std::string_view group;    // heading in the help
  std::string_view unset{};  // what stands for a value that nobody gave, where there is no default
  bool repeatable = false;   // each value is read on its own, and a higher layer replaces all of them
  bool for_life = false;     // a reload cannot change it, as others find this instance by it

  // Workers find it in the variable of its name. A graced that is started by one of them does not take it from
  // there.
  bool told_to_workers = false;

  // Puts one value where it belongs. Throws std::invalid_argument with a line about the value.
  void (*read)(RunOptions& options, const std::string& value) = nullptr;

  // The effective value; empty if there is none. Not asked of repeatable options.
  std::string (*show)(const RunOptions& options) = nullptr;
};

std::span<const OptionRow> run_options();
const OptionRow* find_run_option(std::string_view name);

// The two that have no place in every layer: the command's words follow the options on the command
// line, and a file cannot name another file.
inline constexpr std::string_view command_option = "command";
inline constexpr std::string_view config_option = "config";

// What can be typed after `graced run`: the table and --help.
std::span<const WordOption> run_words();

}  // namespace graced
