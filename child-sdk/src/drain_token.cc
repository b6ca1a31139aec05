// A signal becomes a readable descriptor: the handler writes to an eventfd that nobody reads.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <stdexcept>

#include "graced/child.hpp"
#include "owned_fd.h"
#include "poll_for.h"
#include "sys_error.h"

namespace graced::child {
namespace {

// What the handler can see. Lock-free, or it would not be safe there.
std::atomic<int> event_fd{-1};
std::atomic<int> first_signal{0};
std::atomic<bool> wanted{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void raise_event(int fd) noexcept {
  const std::uint64_t one = 1;
  wanted = true;
  (void)!::write(fd, &one, sizeof one);
}

extern "C" void on_drain_signal(int signo) {
  const int saved = errno;
  int none = 0;
  first_signal.compare_exchange_strong(none, signo);
  raise_event(event_fd.load());
  errno = saved;
}

}  // namespace

DrainToken::DrainToken(const std::vector<int>& signals) {
  OwnedFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (fd.get() < 0) throw sys_error("eventfd for the drain signal");
  int nobody = -1;
  if (!event_fd.compare_exchange_strong(nobody, fd.get())) {
    throw std::logic_error("there is a DrainToken already; a process has one");
  }
  fd_ = fd.release();
  first_signal = 0;
  wanted = false;

  struct sigaction action {};
  action.sa_handler = on_drain_signal;
  action.sa_flags = SA_RESTART;
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signo : signals) {
    struct sigaction former {};
    if (::sigaction(signo, &action, &former) != 0) {
      const int refused = errno;
      restore();
      throw sys_error_of(refused, "handle signal " + std::to_string(signo));
    }
    former_.emplace_back(signo, former);
    ::sigaddset(&set, signo);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

DrainToken::~DrainToken() {
  restore();
}

void DrainToken::restore() noexcept {
  for (auto it = former_.rbegin(); it != former_.rend(); ++it) ::sigaction(it->first, &it->second, nullptr);
  event_fd = -1;
  ::close(fd_);
}

bool DrainToken::requested() const noexcept {
  return wanted;
}

int DrainToken::signal() const noexcept {
  return first_signal;
}

void DrainToken::request() noexcept {
  raise_event(fd_);
}

void DrainToken::wait() const {
  if (poll_for(fd_, POLLIN, std::chrono::milliseconds(-1)) < 0) throw sys_error("poll for the drain signal");
}

bool DrainToken::wait_for(std::chrono::milliseconds limit) const {
  const int n = poll_for(fd_, POLLIN, std::max(limit, std::chrono::milliseconds(0)));
  if (n < 0) throw sys_error("poll for the drain signal");
  return n > 0;
}

}  // namespace graced::child
