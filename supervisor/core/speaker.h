// Who has written a line: a process below graced, and at which of its two outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace graced {

struct Speaker {
  std::optional<std::uint64_t> generation{};  // none: the command of a hook
  std::optional<unsigned> worker{};           // its slot; none: it is no worker, but a check or a hook
  int pid = 0;
  bool at_stderr = false;  // else at stdout

  friend bool operator==(const Speaker&, const Speaker&) = default;
};

// "generation 7, worker 2, PID 123: ", in front of what is said about them or by them; "" if it is nobody.
std::string subject(std::optional<std::uint64_t> generation, std::optional<unsigned> worker,
                    std::optional<int> pid);
std::string subject(const Speaker& speaker);

}  // namespace graced
