// What the command line, the environment and the configuration file say, each on its own.
#pragma once

#include <string>
#include <vector>

#include "options/complaints.h"
#include "options/given_values.h"
#include "options/option_words.h"
#include "options/text_file.h"

namespace graced {

// One value of an option, with the name that the table has for it.
struct Said {
  std::string option;
  std::string text;
  Origin origin;
};

// In the order in which it was said. No option is in it twice that is not repeatable.
using Layer = std::vector<Said>;

// What is wrong is left out and complained of. `notes` takes what is odd but no error.
Layer command_line_layer(const ParsedWords& words, Complaints& complaints);
Layer environment_layer(const std::vector<std::string>& environment, std::vector<std::string>& notes,
                        Complaints& complaints);
Layer config_layer(const GivenValue& config, const ReadText& read, Complaints& complaints);

}  // namespace graced
