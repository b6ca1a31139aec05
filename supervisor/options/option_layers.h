// Who said what: the values of all options as text, from the command line, the environment and the
// configuration file, each with the place it was said in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "options/option_words.h"
#include "options/text_file.h"

namespace graced {

struct GivenValue {
  std::string text;
  std::string origin;  // "command line", "GRACED_WORKERS", "app.conf:3"
  std::string where;   // how a complaint about it begins: "--workers lots", "app.conf:3: workers = lots"
};

// By option; an option nobody gave has no entry.
using Layer = std::map<std::string_view, std::vector<GivenValue>>;

// All three throw UsageError. `notes` takes what is odd but no error.
Layer command_line_layer(const ParsedWords& words);
Layer environment_layer(const std::vector<std::string>& environment, std::vector<std::string>& notes);
Layer config_layer(const GivenValue& config, const ReadText& read);

}  // namespace graced
