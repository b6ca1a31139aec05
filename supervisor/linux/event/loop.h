// The event loop: sd-event behind owned sources and plain functions. One thread.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <utility>

#include "core/time.h"
#include "linux/base/systemd.h"

namespace graced {

// What is dispatched first when several things are waiting. A READY=1 that was followed at once by
// the process's end must be seen before that end.
enum class Priority : std::int64_t {
  notify = -40,
  child = -30,
  answer = -20,  // of another process that was asked something, and says little

  // Each after those that have waited for longer: timers, and what others can bring about again and again
  // without end (clients, signals, what workers write and bind), which would keep all that comes after it from
  // its turn.
  in_turn = 0
};

// A registration with the loop; gone when it goes. May be destroyed inside its own handler.
class Source {
 public:
  Source() = default;
  explicit Source(sd_event_source* source) : source_(source) {}
  Source(Source&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
  Source& operator=(Source&& other) noexcept {
    std::swap(source_, other.source_);
    return *this;
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();

  explicit operator bool() const { return source_ != nullptr; }
  void enable(bool on);

  // Descriptors only: what to be told from now on, see Loop::on_fd. Below 0: an errno, negated.
  int set_events(std::uint32_t events);

  // At most `burst` dispatches within `interval`; the rest wait, so that others get their turn.
  void limit(Duration interval, unsigned burst);

  // Timers only: when to fire next, once; no_deadline switches it off.
  void fire_at(Instant when);

 private:
  sd_event_source* source_ = nullptr;
};

// Made when something is first asked of it, which is when libsystemd is loaded.
// Who has sent a signal. Of several that come together one is known.
struct SignalSender {
  bool by_kernel;  // no process has, but the kernel, as for a key on the terminal
  pid_t pid;       // 0: that, or of another PID namespace
  uid_t user;      // real; of no use where the kernel did
};

class Loop {
 public:
  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  sd_event* event();  // for who runs it turn by turn; throws std::exception if there can be none
  bool made() const { return event_ != nullptr; }

  // The signal must be blocked.
  Source on_signal(int signo, Priority priority, std::function<void(const SignalSender&)> handler);

  // `fd` is borrowed and must outlive the source. events: EPOLLIN and its kin. Throws
  // std::system_error; EPERM says that this kind of file is always ready.
  Source on_fd(int fd, std::uint32_t events, Priority priority, std::function<void()> handler);

  // The same for one that another side hangs up (EPOLLHUP), which is told with what made it so.
  Source on_fd_or_hangup(int fd, Priority priority, std::function<void(bool hung_up)> handler);

  // Off until told when to fire.
  Source timer(std::function<void()> handler);

  // Until leave() is called or a handler throws; what was thrown comes out here.
  void run();
  void leave();

  // For callbacks that others call from C (sd-bus): keeps the exception for run().
  void fail(std::exception_ptr what) noexcept;

 private:
  sd_event* event_ = nullptr;
  std::exception_ptr failure_;
};

// CLOCK_MONOTONIC, the only clock there is for deadlines.
Instant monotonic_now();

}  // namespace graced
