// What --help prints, laid out from the tables of commands and options; at most 100 columns.
#pragma once

#include <string>

#include "options/command_table.h"

namespace graced {

std::string help_text();
std::string help_text(const CommandRow& command);

}  // namespace graced
