// See phase_limit.h.
#include "core/phase_limit.h"

#include <algorithm>

namespace graced {

namespace {

template <class Counts>
std::optional<Instant> latest_deadline(const Status& status, Counts counts) {
  std::optional<Instant> latest;
  for (const WorkerStatus& w : status.workers) {
    if (counts(w)) latest = std::max(latest.value_or(w.deadline), w.deadline);
  }
  return latest;
}

}  // namespace

std::optional<Instant> phase_limit(const Status& status, Instant next_deadline) {
  switch (status.phase) {
    case Phase::starting:
    case Phase::reloading: {
      const auto starting = latest_deadline(status, [&](const WorkerStatus& w) {
        return w.generation == status.candidate && w.state == WorkerState::starting;
      });
      return starting ? starting : next_deadline;  // nothing started yet: it is being prepared
    }
    case Phase::stopping:
      // Those that were killed have no deadline any more.
      return latest_deadline(status, [](const WorkerStatus& w) { return w.state != WorkerState::killed; });
    case Phase::serving:
    case Phase::finished:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace graced
