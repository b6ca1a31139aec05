// Bad input, exit status 2.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace graced {

// One line, or several, that name the thing and the way out.
class UsageError : public std::runtime_error {
 public:
  explicit UsageError(const std::string& line);

  // At least one. what() is the first, and how many more there are.
  explicit UsageError(std::vector<std::string> lines);

  const std::vector<std::string>& lines() const { return *lines_; }

 private:
  std::shared_ptr<const std::vector<std::string>> lines_;  // copies without throwing, as exceptions must
};

}  // namespace graced
