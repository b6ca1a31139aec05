// When to look, what to close, and what was seen in words.
#include "handoff/retirement.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/counted.h"
#include "linux/event/loop.h"

namespace graced {

namespace {

// A connection on its way out of the queue into the worker's hands can be missed by one look.
constexpr Duration second_look = 5ms;

// After connections were closed, their worker lets go of them.
constexpr Duration soon_again = 20ms;

// Shortly before the drain timeout: what counts as a pause between two requests, and how often it is looked
// for; a look may then take a quarter of the time.
constexpr Duration pause_between_requests = 3ms;
constexpr Duration closing_look = 5ms;
constexpr int closing_cost = 4;

}  // namespace

void Retirement::close(const Closing& closing) {
  if (closing == closing_) return;
  closing_ = closing;
  next_look_ = std::min({next_look_, closing.any_pause, closing.last_call});
}

bool Retirement::look(Instant now) {
  seen_ = watch_.look();
  looked_ = true;
  just_closed_all_ = false;
  const bool done = seen_.done();
  if (done && done_before_) return true;
  next_look_ = done ? now + second_look : look_and_close(now);
  done_before_ = done;
  return false;
}

// When to look again.
Instant Retirement::look_and_close(Instant now) {
  // Not only if some are surely idle: what counts as busy may turn out to be after a while.
  const bool any = seen_.idle + seen_.busy > 0;
  if (now >= closing_.last_call) {
    just_closed_all_ = !std::exchange(closed_all_, true);
    watch_.close_all();
  } else if (now >= closing_.any_pause) {
    if (any) watch_.close_idle(std::min(closing_.drain_idle, pause_between_requests));
  } else {
    const Instant next = now + (any && closing_.drain_idle != infinity ? close_idle(now) : watch_.pause());
    return std::min({next, closing_.any_pause, closing_.last_call});
  }
  const Instant next = now + std::max(closing_look, (monotonic_now() - now) * closing_cost);
  return now < closing_.last_call ? std::min(next, closing_.last_call) : next;
}

// Nobody is to wait for a look: not for the one after the last connection is closed, nor for the one that finds
// the last one idle.
Duration Retirement::close_idle(Instant now) {
  const unsigned closed = watch_.close_idle(closing_.drain_idle);
  const Duration soon = std::max(soon_again, (monotonic_now() - now) * closing_cost);
  if (closed > 0) return std::min(soon, watch_.pause());
  const Duration quiet = seen_.quiet.value_or(0s);
  if (quiet >= closing_.drain_idle) return watch_.pause();  // and yet not idle
  return std::min(std::max(closing_.drain_idle - quiet, soon), watch_.pause());
}

std::string Retirement::waits_for() const {
  std::string text;
  const auto add = [&](unsigned n, const char* one, const char* many) {
    if (n > 0) text += (text.empty() ? "" : ", ") + counted(n, one, many);
  };
  add(seen_.busy + seen_.idle + seen_.unix_connections, "connection", "connections");
  if (seen_.idle > 0) text += fmt::format(" ({} idle)", seen_.idle);
  add(seen_.queued, "queued", "queued");
  add(seen_.half_open, "half open", "half open");
  return text;
}

}  // namespace graced
