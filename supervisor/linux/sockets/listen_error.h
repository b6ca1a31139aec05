// Why an address cannot be listened on: one line that says what is in the way and what to do.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace graced {

// A std::system_error that composes its text itself: the reason stands where it reads best
// ("bind 8080: Address already in use by nginx (PID 812)"), not once more at the end.
class ListenError : public std::system_error {
 public:
  ListenError(int code, const std::string& line) : system_error(code, std::generic_category()), line_(line) {}
  const char* what() const noexcept override { return line_.what(); }

  // EADDRINUSE, and it is a graced that has the address, or somebody who cannot be seen.
  bool perhaps_by_graced() const { return perhaps_by_graced_; }
  ListenError perhaps_by_graced(bool is) && {
    perhaps_by_graced_ = is;
    return std::move(*this);
  }

 private:
  bool perhaps_by_graced_ = false;
  std::runtime_error line_;  // copies without throwing, as exceptions must
};

// "STEP ADDRESS: Permission denied", with " (HINT)" unless that is empty. Too few descriptors need no
// hint of the caller's: how many there are, and how to get more, is said here.
ListenError listen_error(int code, std::string_view step, std::string_view hint = {});

}  // namespace graced
