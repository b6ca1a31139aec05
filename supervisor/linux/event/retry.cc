#include "linux/event/retry.h"

#include <algorithm>

namespace graced {

namespace {

constexpr Duration first_pause = 100ms;
constexpr Duration longest_pause = 1s;

}  // namespace

void Retry::begin() {
  if (!timer_) timer_ = loop_.timer([this] { fired(); });
  pause_ = first_pause;
  timer_.fire_at(monotonic_now() + pause_);
}

void Retry::fired() {
  const Duration pause = std::min(2 * pause_, longest_pause);
  const bool again = again_();
  pause_ = pause;
  timer_.fire_at(again ? monotonic_now() + pause_ : no_deadline);
}

}  // namespace graced
