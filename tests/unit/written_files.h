// A directory of its own for a test that needs files, gone with the test.
#pragma once

#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is not in <cstdlib>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace graced {

class WrittenFiles {
 public:
  WrittenFiles() : directory_((std::filesystem::temp_directory_path() / "graced-test-XXXXXX").string()) {
    if (::mkdtemp(directory_.data()) == nullptr)
      throw std::system_error{errno, std::generic_category(), directory_};
  }
  WrittenFiles(const WrittenFiles&) = delete;
  WrittenFiles& operator=(const WrittenFiles&) = delete;
  ~WrittenFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  // Writes a file, anew if it is there, and returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream{path(name), std::ios::trunc} << text;
    return path(name);
  }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
};

}  // namespace graced
