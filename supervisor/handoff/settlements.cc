#include "handoff/settlements.h"

#include <algorithm>

namespace graced {

namespace {

// Between two looks, then twice as long each time, and a look may take a quarter of the time.
constexpr Duration first_pause = 500us;
constexpr Duration longest_pause = 10ms;
constexpr int cost = 4;

// How long at a stretch: others wait for their turn.
constexpr Duration longest_look = 5ms;

}  // namespace

bool Settlements::begin(GenerationId generation, const std::vector<std::pair<WorkerId, pid_t>>& workers,
                        ArrivalPlaces places, Duration patience) {
  Settling settling{std::move(places), patience, {}, {}, first_pause};
  for (const auto& [worker, pid] : workers) settling.workers.emplace_back(worker, FirstWords(pid));
  const Instant now = monotonic_now();
  if (look_at(settling, now + longest_look)) return true;
  settling.next_look = monotonic_now() + first_pause;
  settling_.insert_or_assign(generation, std::move(settling));
  look_soon();
  return false;
}

void Settlements::forget(GenerationId generation, WorkerId worker) {
  const auto found = settling_.find(generation);
  if (found == settling_.end()) return;
  std::erase_if(found->second.workers, [&](const auto& w) { return w.first == worker; });
  if (found->second.workers.empty()) settling_.erase(found);
}

// From the last on. Whoever has heard all once gets nobody new.
bool Settlements::look_at(Settling& settling, Instant until) const {
  if (settling.places.anybody_queued()) return false;
  while (!settling.workers.empty()) {
    if (!settling.workers.back().second.heard(settling.places, settling.patience)) return false;
    settling.workers.pop_back();
    if (monotonic_now() > until) return false;
  }
  return true;
}

void Settlements::look() {
  const Instant begin = monotonic_now();
  std::vector<GenerationId> due;  // who hears that one has settled may forget others
  for (const auto& [generation, settling] : settling_) {
    if (settling.next_look <= begin) due.push_back(generation);
  }
  for (const GenerationId generation : due) {
    const auto found = settling_.find(generation);
    if (found == settling_.end()) continue;
    Settling& settling = found->second;
    const Instant before = monotonic_now();
    if (look_at(settling, before + longest_look)) {
      settling_.erase(found);
      settled_(generation);
      continue;
    }
    const Instant now = monotonic_now();
    settling.next_look = now + std::max(settling.pause, (now - before) * cost);
    settling.pause = std::min(settling.pause * 2, longest_pause);
  }
  look_soon();
}

void Settlements::look_soon() {
  Instant next = no_deadline;
  for (const auto& [generation, settling] : settling_) next = std::min(next, settling.next_look);
  if (next == no_deadline && !timer_) return;
  if (!timer_) timer_ = loop_.timer([this] { look(); });
  timer_.fire_at(next);
}

}  // namespace graced
