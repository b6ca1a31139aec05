// The --config file: `option = value` lines, `#` comments, the names of the command line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "options/complaints.h"

namespace graced {

struct ConfigLine {
  std::string option;
  std::string value;
  unsigned line = 0;
  bool before_comment = false;  // a '#' ended the value
};

// In the order of the file. `path` is what messages call the text. Throws UsageError "PATH:LINE: …"
// for what is no line of a configuration; whether an option of that name exists is not looked at.
std::vector<ConfigLine> parse_config_file(std::string_view text, const std::string& path);

// The same; such lines are complained of and left out.
std::vector<ConfigLine> parse_config_file(std::string_view text, const std::string& path,
                                          Complaints& complaints);

}  // namespace graced
