// When a look is the last one, and what it has seen in words.
#include "retirement.h"

#include <fmt/format.h>

#include <algorithm>

#include "linux/loop.h"

namespace graced {

namespace {

// A connection on its way out of the queue into the worker's hands can be missed by one look.
constexpr Duration second_look = 5ms;

// At closing time: what counts as a pause between two requests, and how often it is looked for; a look
// may then take a quarter of the time.
constexpr Duration pause_between_requests = 3ms;
constexpr Duration closing_look = 5ms;
constexpr int closing_cost = 4;

}  // namespace

void Retirement::ends(Instant last_call, Instant end) {
  if (last_call == last_call_) return;
  last_call_ = last_call;
  closing_time_ = last_call == no_deadline ? no_deadline : last_call - (end - last_call);
  next_look_ = std::min(next_look_, closing_time_);
}

bool Retirement::look(Instant now) {
  seen_ = watch_.look();
  if (seen_.done()) {
    if (done_before_) return true;
    next_look_ = now + second_look;
  } else {
    if (now >= closing_time_) return close_up(now);
    // Not only if some are surely idle: what counts as busy may turn out to be after a while.
    if (seen_.idle + seen_.busy > 0 && close_when_idle_ != infinity) watch_.close_idle(close_when_idle_);
    next_look_ = std::min(now + watch_.pause(), closing_time_);
  }
  done_before_ = seen_.done();
  return false;
}

bool Retirement::close_up(Instant now) {
  done_before_ = false;
  if (now >= last_call_) {
    watch_.close_all();
  } else if (close_when_idle_ != infinity) {
    watch_.close_idle(std::min(close_when_idle_, pause_between_requests));
  }
  const Instant next = now + std::max(closing_look, (monotonic_now() - now) * closing_cost);
  next_look_ = now < last_call_ ? std::min(next, last_call_) : next;
  return false;
}

std::string Retirement::waits_for() const {
  std::string text;
  const auto add = [&](unsigned n, const char* one, const char* many) {
    if (n > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, n == 1 ? one : many);
  };
  add(seen_.busy + seen_.idle + seen_.unix_connections, "connection", "connections");
  if (seen_.idle > 0) text += fmt::format(" ({} idle)", seen_.idle);
  add(seen_.queued, "queued", "queued");
  add(seen_.half_open, "half open", "half open");
  return text;
}

}  // namespace graced
