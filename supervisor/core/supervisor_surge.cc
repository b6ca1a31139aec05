// A candidate that comes in batches, see batches.h. A batch is started when there is room for it: never more
// workers than one generation has and one batch are about, those included that leave. From the first batch that
// is ready on, workers of both generations serve; the last one is the promotion. What of the old generation has
// left is missing should the candidate fail, and is started again, as there is room.
#include <algorithm>
#include <iterator>
#include <utility>

#include "core/supervisor.h"

namespace graced {

// All of its workers that were started are ready, and the first ones have passed its probes and its canary.
void Supervisor::advance(Instant now) {
  if (!rollout_->batches || rollout_->batches->is_last_begun()) return promote(now);
  join(now);
}

// Another batch may be started. Nobody who stands by is to leave for it before his time.
void Supervisor::use_room(Instant now) {
  if (stopping_ || !rollout_ || !rollout_->batches || probation_) return;
  Batches& batches = *rollout_->batches;
  if (batches.under_way() || batches.is_last_begun()) return;
  const unsigned one_generation = std::max(policy_.workers, rollout_->policy->workers);
  const auto taken = workers_.size() + restarts_.due.size() + restarts_.missing.size();
  if (taken + batches.size_of_next() > one_generation + batches.size()) return;

  const Batches::Slots slots = batches.begin();
  for (auto* waiting : {&restarts_.due, &restarts_.missing}) {
    const auto goes = [&](const Respawn& r) { return r.at != no_deadline && batches.replace(r.slot); };
    std::ranges::copy_if(*waiting, std::back_inserter(rollout_->given_up), goes);
    std::erase_if(*waiting, goes);
  }
  for (unsigned slot = slots.first; slot < slots.end; ++slot) spawn(rollout_->generation, slot, now);
}

// The batch under way serves, and those whose place it takes leave.
void Supervisor::join(Instant now) {
  Rollout& rollout = *rollout_;
  rollout.probing.reset();
  rollout.canary.reset();
  Join join{rollout.generation, {}};
  for (Worker& w : workers_) {
    if (on_trial(w)) w.joined = true;
    if (serves(w) && w.works() && rollout.batches->replace(w.slot)) join.replaced.push_back(w.id);
  }
  actions_.push_back(join);
  for (const WorkerId id : join.replaced) {
    Worker& old = *find(id);
    rollout.given_up.push_back({.slot = old.slot, .at = now, .of = id});
    tell_to_go(old, policy_, rollout.policy->settle, now);
  }
  rollout.batches->join();
  ask_to_settle();
}

// They had connections already, so they leave as those of any generation do.
void Supervisor::joined_leave(const Rollout& failed, Instant now) {
  for (Worker& w : workers_) {
    if (w.generation != failed.generation || !w.joined || !w.works()) continue;
    if (stopping_) {
      leave_at_stop(w, *failed.policy, now);
    } else {
      tell_to_go(w, *failed.policy, policy_.settle, now);
    }
  }
}

// Those who have made room for a candidate that failed.
void Supervisor::want_back(Rollout& failed) {
  if (!failed.batches) return;
  std::ranges::move(failed.given_up, std::back_inserter(restarts_.missing));
  restarts_.most = policy_.workers + failed.batches->size();
}

// One is started at once where nobody else would serve.
void Supervisor::fill_missing(Instant now) {
  const auto may_start = [&] {
    return workers_.size() + restarts_.due.size() < restarts_.most || nobody_serves();
  };
  while (!restarts_.missing.empty() && may_start()) {
    const unsigned slot = restarts_.missing.front().slot;
    restarts_.missing.erase(restarts_.missing.begin());
    spawn(*serving_, slot, now);
  }
}

// It has ended, and the candidate that starts has a worker for its place.
bool Supervisor::makes_room(const Worker& gone) const {
  return rollout_ && rollout_->batches && rollout_->batches->replace(gone.slot);
}

// Beside the serving generation's.
bool Supervisor::serves_beside(const Worker& worker) const {
  return worker.joined && on_trial(worker);
}

unsigned Supervisor::workers_asked() const {
  const unsigned joined = rollout_ && rollout_->batches ? rollout_->batches->workers_joined() : 0;
  return std::max(policy_.workers, joined);
}

std::optional<SurgeStatus> Supervisor::surge_status() const {
  if (!rollout_ || !rollout_->batches) return std::nullopt;
  const Batches& batches = *rollout_->batches;
  SurgeStatus s{.batches = batches.count(), .serve = batches.joined(), .size = batches.size()};
  s.under_way = batches.under_way();
  s.leaving =
      static_cast<unsigned>(std::ranges::count_if(workers_, [](const Worker& w) { return !w.works(); }));
  return s;
}

}  // namespace graced
