// poll(2) on one descriptor with a limit that signals do not stretch.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace graced::child {

// What poll returns, EINTR aside. A negative limit means for ever; more than 20 days counts as 20,
// which still fits poll's int.
inline int poll_for(int fd, short events, std::chrono::milliseconds limit) noexcept {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::min<std::chrono::milliseconds>(limit, std::chrono::days(20));
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd one{fd, events, 0};
    const int n = ::poll(&one, 1, limit.count() < 0 ? -1 : static_cast<int>(std::max<long>(left, 0)));
    if (n >= 0 || errno != EINTR) return n;
  }
}

}  // namespace graced::child
