// The options together with who said them, and with all that is wrong: for those who do not stop at the first
// mistake.
#pragma once

#include "options/complaints.h"
#include "options/given_values.h"
#include "options/options.h"

namespace graced {

struct ReadOptions {
  RunOptions options;  // of what could be read; without a command, or a name, where there is a complaint
  GivenValues given;   // what `options` was made of
  Complaints complaints;
};

ReadOptions read_run_options(const ParsedWords& words, const std::vector<std::string>& environment,
                             const ReadText& read = read_text_file);

// Every option in the order of the help, one for each value of a repeated one.
std::vector<Setting> settings_of(const RunOptions& options, const GivenValues& given);

}  // namespace graced
