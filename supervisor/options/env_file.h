// Environment files: NAME=VALUE lines with the quoting of systemd.exec(5)'s EnvironmentFile=.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "options/text_file.h"

namespace graced {

// Throws std::invalid_argument if `text` is no NAME=VALUE.
void check_assignment(std::string_view text);

// "NAME=VALUE" each, in the order of the file. `path` is what messages call it.
// Throws UsageError "PATH:LINE: …".
std::vector<std::string> parse_env_file(std::string_view text, const std::string& path);

// A '-' in front of the path means that the file may be missing. Throws UsageError as above,
// and std::system_error or std::invalid_argument where the file as a whole cannot be read.
std::vector<std::string> read_env_file(const std::string& path, const ReadText& read = read_text_file);

}  // namespace graced
