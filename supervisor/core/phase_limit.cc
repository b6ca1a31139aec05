#include "core/phase_limit.h"

#include <algorithm>

namespace graced {

namespace {

template <class Counts>
std::optional<Instant> latest(const Status& status, Instant WorkerStatus::*time, Counts counts) {
  std::optional<Instant> found;
  for (const WorkerStatus& w : status.workers) {
    if (counts(w)) found = std::max(found.value_or(w.*time), w.*time);
  }
  return found;
}

std::optional<Instant> later(std::optional<Instant> a, std::optional<Instant> b) {
  return a && b ? std::max(*a, *b) : a ? a : b;
}

std::optional<Instant> limit_of_survivors(const Status& status) {
  const auto& survivors = status.survivors;
  return survivors && survivors->state == WorkerState::draining ? std::optional(survivors->deadline)
                                                                : std::nullopt;
}

std::optional<Instant> limit_of_taken(const Status& status) {
  const auto& taken = status.taken;
  if (!taken || taken->killed_at == no_deadline) return std::nullopt;
  return taken->killed_at;
}

}  // namespace

std::optional<Instant> phase_limit(const Status& status, Instant next_deadline) {
  switch (course_of(status)) {
    case Phase::starting:
    case Phase::reloading: {
      if (!status.probes.empty()) return status.probed_until;
      // While a gate decides this is nothing, and who waits is not told that there is a limit.
      if (status.canary && status.canary->until == no_deadline) return std::nullopt;
      if (status.canary) return status.canary->until;
      const auto starting = latest(status, &WorkerStatus::deadline, [&](const WorkerStatus& w) {
        return w.generation == status.candidate && w.state == WorkerState::starting;
      });
      return starting ? starting : next_deadline;  // nothing started yet: it is being prepared
    }
    case Phase::stopping:
      // Those that were killed have no deadline any more.
      return later(latest(status, &WorkerStatus::killed_at,
                          [](const WorkerStatus& w) { return w.state != WorkerState::killed; }),
                   later(limit_of_survivors(status), limit_of_taken(status)));
    case Phase::serving:
    case Phase::degraded:
    case Phase::down:
    case Phase::finished:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace graced
