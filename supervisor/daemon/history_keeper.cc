#include "daemon/history_keeper.h"

#include <algorithm>
#include <utility>

#include "linux/event/loop.h"
#include "options/option_values.h"

namespace graced {

namespace {

Asker by_graced() {
  return {.how = "graced"};
}

}  // namespace

void HistoryKeeper::reload_asked() {
  if (!next_) next_ = asker_;
}

void HistoryKeeper::began(GenerationId candidate, const Status& status) {
  const auto asked = std::exchange(next_, std::nullopt);
  candidate_ = Candidate{candidate,
                         asked            ? *asked
                         : status.serving ? by_graced()
                                          : Asker{.how = "start"},
                         monotonic_now()};
}

void HistoryKeeper::check_began(GenerationId candidate) {
  if (candidate_ && candidate_->generation == candidate) candidate_->checked = monotonic_now();
}

// Also of replacements, later.
void HistoryKeeper::spawns(GenerationId generation) {
  if (candidate_ && candidate_->generation == generation && !candidate_->started)
    candidate_->started = monotonic_now();
}

void HistoryKeeper::probed(GenerationId candidate) {
  if (candidate_ && candidate_->generation == candidate && !candidate_->probed)
    candidate_->probed = monotonic_now();
}

void HistoryKeeper::shared(GenerationId candidate) {
  if (candidate_ && candidate_->generation == candidate && !candidate_->shared)
    candidate_->shared = monotonic_now();
}

// Each stage lasts until the next one that there was.
void HistoryKeeper::tell_course(HistoryEntry& entry) const {
  const Candidate& c = *candidate_;
  const Instant end = entry.monotonic;
  const Instant shared = c.shared.value_or(end);
  const Instant probed = c.probed.value_or(shared);
  const Instant started = c.started.value_or(probed);
  entry.by = c.by;
  entry.took = end - c.began;
  entry.stages.prepare = c.checked.value_or(started) - c.began;
  if (c.checked) entry.stages.check = started - *c.checked;
  if (c.started) entry.stages.start = probed - started;
  if (c.probed) entry.stages.probe = shared - probed;
  if (c.shared) entry.stages.canary = end - shared;
}

void HistoryKeeper::serves(GenerationId generation, const Status& status) {
  const bool first = phase_ == Phase::starting;
  HistoryEntry& entry =
      add({.event = std::string(first ? HistoryEntry::serving : HistoryEntry::reloaded)}, status);
  entry.generation = generation.value;
  if (candidate_ && candidate_->generation == generation) tell_course(entry);
  phase_ = status.phase;
}

void HistoryKeeper::failed(GenerationId candidate, const std::string& why, const Status& status) {
  if (!status.serving) {  // graced gives up, or was asked to stop: told as that
    failed_start_ = candidate;
    why_failed_ = why;
    return;
  }
  HistoryEntry& entry =
      add({.event = std::string(HistoryEntry::reload_failed), .ok = false, .why = why}, status);
  entry.generation = candidate.value;
  if (candidate_ && candidate_->generation == candidate) tell_course(entry);
}

void HistoryKeeper::rolled_back(GenerationId from, const std::string& why, const Status& status) {
  HistoryEntry& entry =
      add({.event = std::string(HistoryEntry::rolled_back), .ok = false, .why = by_ ? "" : why}, status);
  entry.generation = from.value;
  entry.by = by_.value_or(Asker{.how = "crash"});
}

void HistoryKeeper::killed(GenerationId generation, std::size_t workers, const Status& status) {
  if (!hammer_ || hammer_->generation != generation.value) {
    hammer_ = &add({.event = std::string(HistoryEntry::hammered), .generation = generation.value}, status);
    hammer_->by = by_.value_or(by_graced());
    if (!by_) hammer_->why = "not gone in time";
  }
  hammer_->killed += static_cast<std::uint32_t>(workers);
}

void HistoryKeeper::decided(const Status& status, const FindDeparted& departed) {
  const auto& last = status.last_exit;
  if (!last || !last->gone || ended_ == last->worker) return;
  ended_ = last->worker;
  const Departed* worker = departed(last->worker);
  HistoryEntry entry{
      .event = std::string(HistoryEntry::crashed), .ok = false, .why = reason_of(last->exit, worker)};
  entry.generation = last->generation.value;
  entry.slot = last->slot;
  if (worker) {
    entry.pid = worker->pid;
    entry.lived = worker->lived;
  }
  if (last->exit.signal != 0) {
    entry.signal = "SIG" + signal_name(last->exit.signal);
  } else {
    entry.status = last->exit.status;
  }
  add(std::move(entry), status);
}

void HistoryKeeper::handled(const Status& status) {
  hammer_ = nullptr;
  const auto by = std::exchange(by_, std::nullopt);
  const Phase before = std::exchange(phase_, status.phase);
  const auto ends = [](Phase phase) { return phase == Phase::stopping || phase == Phase::finished; };
  if (ends(status.phase)) {
    if (ends(before)) return;
    const bool asked = status.exit_status == 0;
    const bool start_failed = failed_start_ && !asked;
    HistoryEntry& entry = add({.event = std::string(asked ? HistoryEntry::stopping : HistoryEntry::gave_up),
                               .ok = asked,
                               .why = by             ? ""
                                      : start_failed ? why_failed_
                                                     : status.stops_because},
                              status);
    entry.generation = failed_start_.value_or(GenerationId{entry.now_serving}).value;
    if (failed_start_ && candidate_ && candidate_->generation == *failed_start_) tell_course(entry);
    entry.by = by.value_or(by_graced());
    return;
  }
  if (before != Phase::down || status.phase == Phase::down) return;
  HistoryEntry& entry = add({.event = std::string(HistoryEntry::serving)}, status);
  entry.generation = entry.now_serving;
  entry.by.how = "crash";
}

HistoryEntry& HistoryKeeper::add(HistoryEntry entry, const Status& status) {
  hammer_ = nullptr;
  entry.at = std::chrono::system_clock::now();
  entry.monotonic = monotonic_now();
  entry.now_serving = status.serving.value_or(GenerationId{}).value;
  return history_.add(std::move(entry));
}

}  // namespace graced
