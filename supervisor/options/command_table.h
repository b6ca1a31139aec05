// Every command of graced, once: what it is for and which words it takes. Parsing and help read it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "options/option_words.h"

namespace graced {

enum class CommandKind {
  run,
  check,
  reload,
  rollback,
  abort,
  stop,
  upgrade,
  hammer,
  status,
  history,
  events,
  logs,
  list,
  top
};

struct Example {
  std::string_view line;
  std::string_view what;
};

struct CommandRow {
  CommandKind kind;
  std::string_view name;
  std::string_view usage;    // what follows the name
  std::string_view summary;  // for the list of commands
  std::string_view details;  // for its own help; paragraphs separated by newlines
  std::vector<Example> examples;
  std::vector<WordOption> words;  // empty where run's are meant
};

std::span<const CommandRow> command_table();
const CommandRow* find_command(std::string_view name);

// The options that may follow the command's name.
std::span<const WordOption> words_of(const CommandRow& command);

}  // namespace graced
