// What is kept of the workers' output, and those who wait for more of it.
#pragma once

#include <functional>
#include <utility>

#include "core/kept_output.h"
#include "linux/event/loop.h"

namespace graced {

class OutputLog {
 public:
  // Borrowed.
  explicit OutputLog(Loop& loop) : loop_(loop) {}

  KeptOutput& kept() { return kept_; }
  const KeptOutput& kept() const { return kept_; }

  // Called from the loop, soon after something has come that was waited for; once for each await().
  void when_more(std::function<void()> more) { more_ = std::move(more); }
  void await();

  // Lines have come.
  void came();

 private:
  Loop& loop_;
  KeptOutput kept_;
  std::function<void()> more_;
  Source soon_;
  bool awaited_ = false;
};

}  // namespace graced
