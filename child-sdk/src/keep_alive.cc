// Leaving connections that a client may use again at any moment, without losing a request or an answer.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "graced/child.hpp"
#include "poll_for.h"

namespace graced::child {

using Clock = std::chrono::steady_clock;

bool next_request(int connection, const DrainToken& drain, std::chrono::milliseconds keep_alive,
                  std::chrono::milliseconds linger) noexcept {
  const auto longest = std::chrono::milliseconds(std::chrono::hours(24 * 20));  // fits poll's int
  auto end = Clock::now() + std::min(keep_alive, longest);
  for (bool draining = false;;) {
    if (!draining && drain.requested()) {
      draining = true;
      end = std::min(end, Clock::now() + std::min(linger, longest));
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd on[] = {{connection, POLLIN, 0}, {draining ? -1 : drain.fd(), POLLIN, 0}};
    // Also when no time is left: one last look.
    const int n = ::poll(on, 2, static_cast<int>(std::max<long>(left, 0)));
    if (n < 0 && errno != EINTR) return false;
    if (n > 0 && on[0].revents != 0) return true;
    if (n == 0 && Clock::now() >= end) return false;
  }
}

bool is_last_answer(int connection, const DrainToken& drain) noexcept {
  if (!drain.requested()) return false;
  char next = 0;
  return ::recv(connection, &next, sizeof next, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

void finish(int connection, std::chrono::milliseconds limit) noexcept {
  const auto end = Clock::now() + std::clamp<std::chrono::milliseconds>(limit, std::chrono::milliseconds(0),
                                                                        std::chrono::hours(24));
  bool finished = !begin_finish(connection);
  while (!finished) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0 || poll_for(connection, POLLIN, left) <= 0) break;
    finished = is_finished(connection);
  }
  ::close(connection);
}

bool begin_finish(int connection) noexcept {
  return ::shutdown(connection, SHUT_WR) == 0;
}

// Closing with something unread would reset the connection, and take the answer from a client that has not
// read it yet. Who sends without end gets no more than a turn of the loop.
bool is_finished(int connection) noexcept {
  for (int turns = 0; turns < 16; ++turns) {
    char unread[4096];
    const ssize_t n = ::recv(connection, unread, sizeof unread, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EINTR)) return n == 0 || errno != EAGAIN;
  }
  return false;
}

}  // namespace graced::child
