// Counting requests, and waiting for the last one.
#include <sys/eventfd.h>
#include <unistd.h>

#include "graced/child.hpp"
#include "sys_error.h"

namespace graced::child {

InFlight::InFlight() : idle_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (idle_fd_ < 0) throw sys_error("eventfd for requests in flight");
}

InFlight::~InFlight() {
  ::close(idle_fd_);
}

bool InFlight::enter() noexcept {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  ++count_;
  return true;
}

void InFlight::leave() noexcept {
  const std::lock_guard lock(mutex_);
  if (count_ == 0) return;
  --count_;
  if (closed_) tell_if_idle();
}

void InFlight::close() noexcept {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  tell_if_idle();
}

Outcome InFlight::shutdown(std::chrono::nanoseconds limit) {
  close();
  std::unique_lock lock(mutex_);
  const auto idle = [this] { return count_ == 0; };
  const auto now = std::chrono::steady_clock::now();
  // A limit that the clock cannot add is as good as none.
  if (limit.count() < 0 || limit >= std::chrono::steady_clock::time_point::max() - now) {
    idle_.wait(lock, idle);
    return Outcome::idle;
  }
  return idle_.wait_until(lock, now + limit, idle) ? Outcome::idle : Outcome::limit_passed;
}

std::size_t InFlight::count() const noexcept {
  const std::lock_guard lock(mutex_);
  return count_;
}

// With the mutex held also while notifying: whoever was waiting may destroy us as soon as it is free.
void InFlight::tell_if_idle() noexcept {
  if (count_ > 0) return;
  const std::uint64_t one = 1;
  (void)!::write(idle_fd_, &one, sizeof one);
  idle_.notify_all();
}

}  // namespace graced::child
