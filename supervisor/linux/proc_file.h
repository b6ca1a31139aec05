// Reading the small files of /proc: gone or forbidden is an empty answer, never an error.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace graced {

// The whole file, nullopt if it cannot be read.
std::optional<std::string> contents_of(const std::string& path);

// The names in a directory, without those that begin with a dot.
std::vector<std::string> entries_of(const std::string& path);

}  // namespace graced
