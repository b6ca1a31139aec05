#include "exporter/sightings.h"

#include <algorithm>
#include <map>

namespace graced {
namespace {

GenerationState state_of_candidate(const InstanceReport& r) {
  if (r.canary) return GenerationState::canary;
  if (r.batches && r.batches->serve > 0) return GenerationState::serving;  // beside the one before
  std::size_t workers = 0;
  for (const WorkerReport& w : r.workers) {
    if (w.generation != r.candidate) continue;
    if (w.state != "ready") return GenerationState::start;
    ++workers;
  }
  return workers > 0 && !r.batches ? GenerationState::ready : GenerationState::start;
}

}  // namespace

std::string_view to_text(GenerationState state) {
  switch (state) {
    case GenerationState::start:
      return "start";
    case GenerationState::ready:
      return "ready";
    case GenerationState::canary:
      return "canary";
    case GenerationState::serving:
      return "serving";
    case GenerationState::standby:
      return "standby";
    case GenerationState::draining:
      return "draining";
  }
  return "";
}

std::vector<GenerationNow> generations_now(const InstanceReport& r) {
  std::map<std::uint64_t, GenerationState> found;
  bool serves = false;
  for (const WorkerReport& w : r.workers) {
    serves = serves || (w.generation == r.serving && w.state == "ready");
    if (w.generation != r.serving) found[w.generation] = GenerationState::draining;
  }
  if (serves) found[r.serving] = GenerationState::serving;
  if (r.standby != 0) found[r.standby] = GenerationState::standby;
  if (r.candidate != 0) found[r.candidate] = state_of_candidate(r);
  std::vector<GenerationNow> now;
  for (const auto& [generation, state] : found) now.push_back({generation, state});
  return now;
}

void Sightings::take(const InstanceReport& report, Instant now) {
  if (report.pid != pid_) all_.clear();
  pid_ = report.pid;
  const std::vector<GenerationNow> there = generations_now(report);
  const auto last_of = [&](std::uint64_t generation) {
    return std::find_if(all_.rbegin(), all_.rend(),
                        [&](const Sighting& s) { return s.generation == generation; });
  };
  for (Sighting& s : all_) {
    const bool found = std::ranges::find(there, s.generation, &GenerationNow::generation) != there.end() ||
                       s.generation == report.serving;
    if (!found && !s.gone) s.gone = now;
  }
  for (const GenerationNow& g : there) {
    const auto last = last_of(g.generation);
    if (last != all_.rend() && last->state == g.state) {
      last->last = now;
    } else {
      all_.push_back({.generation = g.generation, .state = g.state, .first = now, .last = now});
    }
  }
  if (all_.size() > most) all_.erase(all_.begin(), all_.end() - most);
}

}  // namespace graced
