// What no graced has written: the core would stumble over it later, so it is refused while that can be said.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "state/supervisor_members.h"

namespace graced {

std::optional<std::string> Members<Worker>::flaw(const Worker& w) {
  const bool may_have_deadline =
      w.state != WorkerState::ready && w.state != WorkerState::standby && w.state != WorkerState::killed;
  if (!may_have_deadline && w.deadline != no_deadline)
    return fmt::format("a worker that is {} has no deadline", to_text(w.state));
  // It is taken from an instant, twice at most.
  if (w.last_call > infinity / 2) return "its last call is longer than anybody drains";
  return std::nullopt;
}

namespace {

// Each generation and each worker has a number of its own, and the next one is new.
std::optional<std::string> flaw_of_workers(const std::vector<Worker>& workers, std::uint64_t last_worker,
                                           std::uint64_t last_generation) {
  std::set<WorkerId> ids;
  for (const Worker& w : workers) {
    if (w.id.value == 0 || w.id.value > last_worker)
      return fmt::format("there is a worker {}, and the last one was {}", w.id.value, last_worker);
    if (w.generation.value == 0 || w.generation.value > last_generation)
      return fmt::format("worker {} is of generation {}, and the last one was {}", w.id.value,
                         w.generation.value, last_generation);
    if (!ids.insert(w.id).second) return fmt::format("two workers are number {}", w.id.value);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> Members<Supervisor>::flaw(const Supervisor& s) {
  if (auto flaw = flaw_of_workers(s.workers_, s.counts_.last_worker, s.counts_.last_generation)) return flaw;

  const auto& r = s.rollout_;
  if (!s.serving_) {
    if (s.probation_) return "somebody stands by, and nobody serves";
    if (!s.restarts_.due.empty() || !s.restarts_.missing.empty())
      return "workers are to be started again, and nobody serves";
    if (r && (r->batches || r->replaces || r->canary)) return "a candidate is to serve beside nobody";
  }
  if (s.serving_ && s.serving_->value > s.counts_.last_generation)
    return fmt::format("generation {} serves, and the last one was {}", s.serving_->value,
                       s.counts_.last_generation);
  if (s.probation_ && s.probation_->standby == s.serving_)
    return fmt::format("generation {} serves, and stands by", s.serving_->value);
  for (const Worker& w : s.workers_) {
    if (w.stands_by() && (!s.probation_ || w.generation != s.probation_->standby))
      return fmt::format("worker {} stands by, and its generation does not", w.id.value);
    if (w.works() && w.generation != s.serving_ && (!r || w.generation != r->generation))
      return fmt::format("worker {} works, and its generation neither serves nor is a candidate", w.id.value);
  }
  if (r) {
    if (r->generation == s.serving_ || r->generation.value > s.counts_.last_generation)
      return fmt::format("generation {} is no candidate", r->generation.value);
    const auto works = [&](const Worker& w) { return w.generation == r->generation && w.works(); };
    if (!r->policy && std::ranges::any_of(s.workers_, works))
      return fmt::format("a worker of generation {} was started, and that was not prepared",
                         r->generation.value);
  }
  if (s.stopping_ &&
      (r || s.queued_ || s.probation_ || !s.restarts_.due.empty() || !s.restarts_.missing.empty()))
    return "it stops, and goes on";
  if (s.finished_ && (!s.stopping_ || !s.workers_.empty() || s.survivors_ || s.taken_))
    return "it has finished, and goes on";
  return std::nullopt;
}

}  // namespace graced
