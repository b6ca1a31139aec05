// The states that released versions have written, as they lie in the tree: tests/states/VERSION/SITUATION.json
// has parts of one, tests/states/instances/VERSION/SITUATION.json a whole instance.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace graced {

inline std::filesystem::path state_directory() {
  return GRACED_STATES;
}

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  REQUIRE_MESSAGE(file.good(), path);
  return text;
}

// Those in DIRECTORY/VERSION.
inline std::vector<std::filesystem::path> state_files(
    const std::filesystem::path& directory = state_directory()) {
  std::vector<std::filesystem::path> files;
  for (const auto& version : std::filesystem::directory_iterator(directory)) {
    if (!version.is_directory()) continue;
    for (const auto& entry : std::filesystem::directory_iterator(version)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  REQUIRE(!files.empty());
  return files;
}

}  // namespace graced
