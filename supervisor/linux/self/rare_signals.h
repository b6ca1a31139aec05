// Signals that nobody waits for: they are blocked, and what was meant by them would go unnoticed.
#pragma once

#include <optional>
#include <vector>

#include "linux/base/fd.h"

namespace graced {

class RareSignals {
 public:
  // All but `others`, and but those that the kernel itself sends in the course of things. They must be blocked.
  // Throws std::system_error.
  explicit RareSignals(const std::vector<int>& others);

  int fd() const { return fd_.get(); }  // readable: call next()

  // One that a process has sent.
  struct Received {
    int signo;
    int sender;  // its PID
  };
  std::optional<Received> next();

 private:
  Fd fd_;
};

}  // namespace graced
