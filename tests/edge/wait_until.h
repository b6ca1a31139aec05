// Waits for what the kernel or another process is about to do.
#pragma once

#include <chrono>
#include <thread>

namespace graced {

// What the condition said last: false only after a time in which it would have come true anywhere.
template <class Condition>
bool wait_until(const Condition& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace graced
