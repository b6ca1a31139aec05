// The generation before stands by while the one that serves is on probation: it serves again if that one fails,
// and leaves if it does not.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "core/supervisor.h"

namespace graced {

bool Supervisor::anybody_stands_by() const {
  return std::ranges::any_of(workers_, &Worker::stands_by);
}

// The Switch, and what becomes of those who served before. Who has not been proven does not become the one that
// stands by: that stays the one that was.
void Supervisor::begin_probation(GenerationId old, const Policy& policy, Instant now) {
  const bool keeps = policy_.probation > 0s;
  if (probation_) {
    const Probation before = *std::exchange(probation_, std::nullopt);
    actions_.push_back(Switch{*serving_, keeps ? before.standby : GenerationId{}});
    answer(before.askers, false,
           fmt::format("generation {} took its place before it was proven", serving_->value));
    retire_generation(old, policy, now);
    if (keeps) {
      probation_ = Probation{before.standby, before.policy, after(now, policy_.probation)};
    } else {
      retire_generation(before.standby, before.policy, now);
    }
    return;
  }

  const auto can_stand_by = [&](const Worker& w) {
    return keeps && w.generation == old && w.state == WorkerState::ready;
  };
  if (std::ranges::any_of(workers_, can_stand_by))
    probation_ = Probation{old, policy, after(now, policy_.probation)};
  actions_.push_back(Switch{*serving_, probation_ ? old : GenerationId{}, rollout_->replaces.has_value()});
  for (Worker& w : workers_) {
    if (!can_stand_by(w)) continue;
    w.state = WorkerState::standby;
    w.since = now;
  }
  // Those that were not ready yet are started anew, should they be needed.
  for (Worker& w : workers_) {
    if (w.generation == old && w.works()) tell_to_go(w, policy, policy_.settle, now);
  }
}

void Supervisor::answer_promoted() {
  std::vector<RequestId> askers = std::exchange(rollout_->askers, {});
  if (probation_) {
    const auto waits = [&](RequestId by) {
      return std::ranges::find(wait_until_settled_, by) != wait_until_settled_.end();
    };
    std::ranges::copy_if(askers, std::back_inserter(probation_->askers), waits);
    std::erase_if(askers, waits);
  }
  answer(askers, true, probation_ ? fmt::format("on probation for {}", to_text(policy_.probation)) : "");
}

// Without a probation the generation before can come back as long as none of its workers was told to leave; not
// in the place of one that came in batches, or is about to: there is no room for all of it.
std::optional<GenerationId> Supervisor::rollback_to() const {
  if (stopping_ || !serving_) return std::nullopt;
  if (probation_) return probation_->standby;
  if (!previous_ || previous_->in_batches) return std::nullopt;
  if (rollout_ && rollout_->batches && rollout_->batches->workers_begun() > 0) return std::nullopt;
  bool any = false;
  for (const Worker& w : workers_) {
    if (w.generation != previous_->generation) continue;
    if (w.state == WorkerState::draining || w.state == WorkerState::killed) return std::nullopt;
    any = any || w.can_return();
  }
  return any ? std::optional(previous_->generation) : std::nullopt;
}

// As if it had stood by. Of those who have had one place, as after a batch that failed, the last one.
void Supervisor::call_back(Instant now) {
  const auto generation = rollback_to();
  if (!generation) return;
  std::set<unsigned> filled;
  for (auto last = workers_.rbegin(); last != workers_.rend(); ++last) {
    Worker& w = *last;
    if (w.generation != *generation || !w.can_return() || !filled.insert(w.slot).second) continue;
    w.return_to_standby(now);
    actions_.push_back(Return{w.id});
  }
  probation_ = Probation{*generation, previous_->policy, now};
}

void Supervisor::on(const RollbackAsked& e, Instant now) {
  if (rollout_ && rollout_->canary) return canary_failed(fmt::format("rolled back, asked by {}", e.by), now);
  if (!probation_) call_back(now);
  if (probation_) roll_back(fmt::format("asked by {}", e.by), now);
}

// New connections go back first. A candidate was prepared for the place of the one that has failed.
void Supervisor::roll_back(const std::string& why, Instant now, bool by_probe) {
  const Probation probation = *std::exchange(probation_, std::nullopt);
  const GenerationId failed = *serving_;
  const Policy failed_policy = policy_;
  const std::string reason = fmt::format("rolled back: {}", why);

  for (Worker& w : workers_) {
    if (!w.stands_by()) continue;
    w.state = WorkerState::ready;
    w.since = now;
  }
  serve(probation.standby, probation.policy);
  watch_serving(false, now);
  previous_ = Previous{failed, failed_policy};
  actions_.push_back(Switch{*serving_, {}, true});
  retire_generation(failed, failed_policy, now);
  fill_slots(now);
  if (rollout_) abandon(fmt::format("generation {} was {}", failed.value, reason), now);
  enforce_max_draining(now);

  const bool told = last_reload_ && last_reload_->generation == failed;
  last_reload_ = ReloadStatus{failed, false, reason, now, told ? last_reload_->took : Duration{}};
  ++counts_.rollbacks;
  actions_.push_back(RolledBack{failed, *serving_, why, by_probe});
  answer(probation.askers, false, reason);
  ask_to_settle();
}

// Those who have ended while they stood by.
void Supervisor::fill_slots(Instant now) {
  for (unsigned slot = 0; slot < policy_.workers; ++slot) {
    const bool filled = std::ranges::any_of(
        workers_, [&](const Worker& w) { return serves(w) && w.works() && w.slot == slot; });
    if (filled) continue;
    ++counts_.restarts;
    spawn(*serving_, slot, now);
  }
}

// Its time is over, or nobody is left who could serve in its place.
void Supervisor::prove_itself(Instant now) {
  const Probation probation = *std::exchange(probation_, std::nullopt);
  actions_.push_back(Proven{*serving_, probation.standby, !anybody_stands_by()});
  retire_generation(probation.standby, probation.policy, now);
  enforce_max_draining(now);
  answer(probation.askers, true, "");
  ask_to_settle();
}

}  // namespace graced
