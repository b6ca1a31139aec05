// What was said of each option, and by whom: of the command line, the environment and the configuration file,
// in this order, the first that says anything of it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "options/complaints.h"
#include "options/option_words.h"
#include "options/text_file.h"

namespace graced {

// Who said it, and where.
struct Origin {
  std::string who;    // "command line", "GRACED_WORKERS", "app.conf:3"
  std::string where;  // how a complaint about it begins: "--workers lots", "app.conf:3: workers = lots"
  Place place{};
};

struct GivenValue : Origin {
  std::string text;
};

// By option; an option nobody gave has no entry, the others have at least one value.
using GivenValues = std::map<std::string_view, std::vector<GivenValue>>;

// What is wrong with a layer is left out and complained of. `notes` takes what is odd but no error.
GivenValues given_values(const ParsedWords& words, const std::vector<std::string>& environment,
                         const ReadText& read, std::vector<std::string>& notes, Complaints& complaints);

// Where it was said first; nowhere, if it was not.
Place place_of(const GivenValues& given, std::string_view option);

// A complaint about the value, with the place it was said in unless that is the command line.
std::string with_place(const GivenValue& value, const std::string& why);

}  // namespace graced
