#include "core/liveness.h"

#include <algorithm>

#include "core/start_limit.h"

namespace graced {

void Liveness::watch(const Policy& policy, bool of_same, Instant now) {
  probing_.reset();
  Probing probing = Probing::while_serving(policy.probes, now);
  if (probing.any()) probing_ = std::move(probing);
  since_ = now;
  if (of_same) return;
  delay_ = policy.restart_delay;
  attempts_.clear();
  last_replacement.reset();
}

void Liveness::begin_anew(Instant now) {
  if (probing_) probing_->begin_anew(now);
}

std::vector<unsigned> Liveness::due(Instant now) {
  return probing_ ? probing_->due(now) : std::vector<unsigned>{};
}

void Liveness::passed(unsigned probe, Instant now) {
  if (probing_) probing_->passed(probe, now);
}

bool Liveness::failed(unsigned probe, const std::string& saw, const Policy& policy, Instant now) {
  if (!probing_) return false;
  const bool had_failed = failure().has_value();
  if (!probing_->failed(probe, saw, now) || had_failed) return false;
  if (now - since_ >= policy.restart_delay_reset) delay_ = policy.restart_delay;
  wait(policy, now);
  return true;
}

void Liveness::saw_nobody(unsigned probe, Instant now) {
  passed(probe, now);
  begin_anew(now);
}

// The delay until the next one, which doubles; and room in the window.
void Liveness::wait(const Policy& policy, Instant now) {
  next_attempt_ = after(now, delay_);
  delay_ = doubled_delay(policy, delay_);
  while (!attempts_.empty() && after(attempts_.front(), policy.start_limit_window) <= now)
    attempts_.pop_front();
  if (attempts_.size() < policy.start_limit) return;
  const Instant room = policy.start_limit == 0
                           ? no_deadline
                           : after(attempts_[attempts_.size() - policy.start_limit], policy.start_limit_window);
  next_attempt_ = std::max(next_attempt_, room);
}

std::vector<ProbeStatus> Liveness::status() const {
  std::vector<ProbeStatus> found = probing_ ? probing_->status() : std::vector<ProbeStatus>{};
  std::erase_if(found, &ProbeStatus::passed);  // that look before it serves only
  return found;
}

}  // namespace graced
