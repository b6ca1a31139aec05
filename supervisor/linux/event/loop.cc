// sd-event behind owned sources and plain functions.
#include "linux/event/loop.h"

#include <signal.h>
#include <sys/epoll.h>

#include <memory>

#include "linux/base/sys_error.h"

namespace graced {

namespace {

struct Handler {
  Loop* loop;
  std::function<void()> function;
  std::function<void(bool)> with = nullptr;  // hung_up
  std::function<void(const SignalSender&)> heard = nullptr;
};

// sd-event calls from C: an exception stops here and comes out of Loop::run().
int dispatch(void* userdata) noexcept {
  const auto* handler = static_cast<Handler*>(userdata);
  try {
    handler->function();
  } catch (...) { handler->loop->fail(std::current_exception()); }
  return 0;
}

int on_io(sd_event_source*, int, std::uint32_t, void* userdata) {
  return dispatch(userdata);
}
int on_io_or_hangup(sd_event_source*, int, std::uint32_t events, void* userdata) {
  const auto* handler = static_cast<Handler*>(userdata);
  // What was said before is still to be read.
  const bool hung_up = (events & EPOLLHUP) != 0 && (events & EPOLLIN) == 0;
  try {
    handler->with(hung_up);
  } catch (...) { handler->loop->fail(std::current_exception()); }
  return 0;
}
int on_siginfo(sd_event_source*, const signalfd_siginfo* info, void* userdata) {
  const auto* handler = static_cast<Handler*>(userdata);
  try {
    handler->heard({info->ssi_code == SI_KERNEL, static_cast<pid_t>(info->ssi_pid), info->ssi_uid});
  } catch (...) { handler->loop->fail(std::current_exception()); }
  return 0;
}
int on_time(sd_event_source*, std::uint64_t, void* userdata) {
  return dispatch(userdata);
}

// The handler lives as long as sd-event may still call it: a source dropped inside its own handler
// is freed after the handler has returned.
Source own(sd_event_source* source, std::unique_ptr<Handler> handler, Priority priority) {
  Source owned(source);
  sd_event_source_set_destroy_callback(source, [](void* userdata) { delete static_cast<Handler*>(userdata); });
  static_cast<void>(handler.release());  // the source's from here on
  if (const int r = sd_event_source_set_priority(source, static_cast<std::int64_t>(priority)); r < 0) {
    throw sys_error_of(r, "set priority of an event source");
  }
  return owned;
}

std::uint64_t microseconds(Instant when) {
  const auto since_boot = when.time_since_epoch();
  // Rounded up: a timer that fires early would find its deadline still ahead and spin.
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(since_boot).count());
}

}  // namespace

Source::~Source() {
  if (!source_) return;
  sd_event_source_disable_unref(source_);
}

void Source::enable(bool on) {
  sd_event_source_set_enabled(source_, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

int Source::set_events(std::uint32_t events) {
  return sd_event_source_set_io_events(source_, events);
}

void Source::limit(Duration interval, unsigned burst) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(interval).count();
  sd_event_source_set_ratelimit(source_, static_cast<std::uint64_t>(us), burst);
}

void Source::fire_at(Instant when) {
  if (when == no_deadline) {
    sd_event_source_set_enabled(source_, SD_EVENT_OFF);
    return;
  }
  sd_event_source_set_time(source_, microseconds(when));
  sd_event_source_set_enabled(source_, SD_EVENT_ONESHOT);
}

Loop::~Loop() {
  if (event_) sd_event_unref(event_);
}

sd_event* Loop::event() {
  if (event_) return event_;
  if (const int r = sd_event_new(&event_); r < 0) throw sys_error_of(r, "create the event loop");
  return event_;
}

Source Loop::on_signal(int signo, Priority priority, std::function<void(const SignalSender&)> handler) {
  auto h = std::make_unique<Handler>(Handler{this, {}, {}, std::move(handler)});
  sd_event_source* source = nullptr;
  if (const int r = sd_event_add_signal(event(), &source, signo, on_siginfo, h.get()); r < 0) {
    throw sys_error_of(r, "watch signal {}", signo);
  }
  return own(source, std::move(h), priority);
}

Source Loop::on_fd(int fd, std::uint32_t events, Priority priority, std::function<void()> handler) {
  auto h = std::make_unique<Handler>(Handler{this, std::move(handler), {}, {}});
  sd_event_source* source = nullptr;
  if (const int r = sd_event_add_io(event(), &source, fd, events, on_io, h.get()); r < 0) {
    throw sys_error_of(r, "watch descriptor {}", fd);
  }
  return own(source, std::move(h), priority);
}

Source Loop::on_fd_or_hangup(int fd, Priority priority, std::function<void(bool)> handler) {
  auto h = std::make_unique<Handler>(Handler{this, {}, std::move(handler), {}});
  sd_event_source* source = nullptr;
  if (const int r = sd_event_add_io(event(), &source, fd, EPOLLIN, on_io_or_hangup, h.get()); r < 0) {
    throw sys_error_of(r, "watch descriptor {}", fd);
  }
  return own(source, std::move(h), priority);
}

Source Loop::timer(std::function<void()> handler) {
  auto h = std::make_unique<Handler>(Handler{this, std::move(handler), {}});
  sd_event_source* source = nullptr;
  constexpr std::uint64_t accuracy = 1;  // microseconds; 0 would mean 250 ms
  if (const int r =
          sd_event_add_time(event(), &source, CLOCK_MONOTONIC, std::uint64_t{0}, accuracy, on_time, h.get());
      r < 0) {
    throw sys_error_of(r, "create a timer");
  }
  Source timer = own(source, std::move(h), Priority::in_turn);
  timer.fire_at(no_deadline);
  return timer;
}

void Loop::run() {
  const int r = sd_event_loop(event());
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (r < 0) throw sys_error_of(r, "run the event loop");
}

void Loop::leave() {
  if (event_) sd_event_exit(event_, 0);
}

void Loop::fail(std::exception_ptr what) noexcept {
  if (!failure_) failure_ = std::move(what);
  leave();
}

Instant monotonic_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
}

}  // namespace graced
