// Reading the small files of /proc: gone or forbidden is an empty answer, never an error.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace graced {

// The whole file, nullopt if it cannot be read.
std::optional<std::string> contents_of(const std::string& path);

// Throws std::runtime_error, with the way out, where /proc is not mounted or not that of this process.
void require_proc();

// The names in a directory, without those that begin with a dot.
std::vector<std::string> entries_of(const std::string& path);

}  // namespace graced
