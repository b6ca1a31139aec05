// When a look is the last one, and what it has seen in words.
#include "retirement.h"

#include <fmt/format.h>

namespace graced {

namespace {

// A connection on its way out of the queue into the worker's hands can be missed by one look.
constexpr Duration second_look = 5ms;

}  // namespace

bool Retirement::look(Instant now) {
  seen_ = watch_.look();
  if (seen_.done()) {
    if (done_before_) return true;
    next_look_ = now + second_look;
  } else {
    // Not only if some are surely idle: what counts as busy may turn out to be after a while.
    if (seen_.idle + seen_.busy > 0 && close_when_idle_ != infinity) watch_.close_idle(close_when_idle_);
    next_look_ = now + watch_.pause();
  }
  done_before_ = seen_.done();
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
