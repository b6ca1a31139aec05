// Who said what: the values of all options as text, from the command line, the environment and the
// configuration file, each with the place it was said in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "options/complaints.h"
#include "options/option_words.h"
#include "options/text_file.h"

namespace graced {

struct GivenValue {
  std::string text;
  std::string origin;  // "command line", "GRACED_WORKERS", "app.conf:3"
  std::string where;   // how a complaint about it begins: "--workers lots", "app.conf:3: workers = lots"
  Place place{};
};

// By option; an option nobody gave has no entry.
using Layer = std::map<std::string_view, std::vector<GivenValue>>;

// Where it was said first; nowhere, if it was not.
Place place_of(const Layer& layer, std::string_view option);

// A complaint about the value, with the place it was said in unless that is the command line.
std::string with_place(const GivenValue& value, const std::string& why);

// What is wrong is left out and complained of. `notes` takes what is odd but no error.
Layer command_line_layer(const ParsedWords& words, Complaints& complaints);
Layer environment_layer(const std::vector<std::string>& environment, std::vector<std::string>& notes,
                        Complaints& complaints);
Layer config_layer(const GivenValue& config, const ReadText& read, Complaints& complaints);

}  // namespace graced
