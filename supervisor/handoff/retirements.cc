#include "handoff/retirements.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace graced {

void Retirements::begin(WorkerId worker, pid_t pid, const std::vector<int>& listening,
                        const std::optional<std::string>& cgroup, bool handshakes_move) {
  retiring_.erase(worker);
  retiring_.try_emplace(worker, pid, listening, cgroup, handshakes_move, monotonic_now());
  look_soon();
}

Retirements::Kept Retirements::kept() const {
  Kept kept;
  for (const auto& [worker, retirement] : retiring_) kept.emplace(worker, retirement.kept());
  return kept;
}

std::vector<int> Retirements::descriptors() const {
  std::vector<int> all;
  for (const auto& [worker, retirement] : retiring_) {
    if (retirement.descriptor() >= 0) all.push_back(retirement.descriptor());
  }
  return all;
}

Retirements::Retirements(Loop& loop, Callbacks callbacks, const Kept& kept)
    : loop_(loop), callbacks_(std::move(callbacks)) {
  for (const auto& [worker, retirement] : kept) retiring_.try_emplace(worker, retirement, monotonic_now());
  look_soon();
}

void Retirements::close(WorkerId worker, const Closing& closing) {
  const auto r = retiring_.find(worker);
  if (r == retiring_.end()) return;
  r->second.close(closing);
  look_soon();
}

void Retirements::follow(WorkerId worker, const std::vector<pid_t>& tops) {
  if (const auto r = retiring_.find(worker); r != retiring_.end()) r->second.follow(tops);
}

const Retirement* Retirements::find(WorkerId worker) const {
  const auto r = retiring_.find(worker);
  return r == retiring_.end() ? nullptr : &r->second;
}

void Retirements::look() {
  const Instant now = monotonic_now();
  std::vector<WorkerId> due;  // who hears that one is idle may stop others
  for (const auto& [worker, retirement] : retiring_) {
    if (retirement.next_look() <= now) due.push_back(worker);
  }
  for (const WorkerId worker : due) {
    const auto r = retiring_.find(worker);
    if (r == retiring_.end()) continue;
    try {
      if (!r->second.look(now)) {
        if (r->second.has_just_closed_all())
          callbacks_.note(worker, fmt::format("has {} left: closed from outside", r->second.waits_for()));
        continue;
      }
    } catch (const std::exception& e) {
      callbacks_.note(worker, fmt::format("cannot be watched, so it is told to leave at once: {}", e.what()));
    }
    retiring_.erase(r);
    callbacks_.idle(worker);
  }
  look_soon();
}

void Retirements::look_soon() {
  Instant next = no_deadline;
  for (const auto& [worker, retirement] : retiring_) next = std::min(next, retirement.next_look());
  if (next == no_deadline && !timer_) return;
  if (!timer_) timer_ = loop_.timer([this] { look(); });
  timer_.fire_at(next);
}

}  // namespace graced
