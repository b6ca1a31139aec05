// What --help prints, laid out from the tables of commands and options.
#pragma once

#include <cstddef>
#include <string>

#include "options/command_table.h"

namespace graced {

// columns: no line is longer, within reason; at least `narrow`.
std::string help_text(std::size_t columns);
std::string help_text(const CommandRow& command, std::size_t columns);

inline constexpr std::size_t narrow = 40;
inline constexpr std::size_t usual = 80;
inline constexpr std::size_t wide = 100;  // longer lines are hard to read

// What `COLUMNS` says, else the terminal, if there is one; within these limits.
std::size_t help_columns(const std::string& variable, std::size_t terminal);

}  // namespace graced
