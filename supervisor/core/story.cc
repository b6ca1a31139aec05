#include "core/story.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/counted.h"

namespace graced {

namespace {

std::ptrdiff_t leaving(const Status& s, bool thrown_away) {
  const auto leaves = [&](const WorkerStatus& w) {
    if (w.thrown_away != thrown_away) return false;
    return w.state == WorkerState::settling || w.state == WorkerState::retiring ||
           w.state == WorkerState::draining || w.state == WorkerState::killed;
  };
  return std::ranges::count_if(s.workers, leaves) + (s.taken && leaves(*s.taken) ? 1 : 0);
}

std::string serving_part(const Status& s) {
  return fmt::format("generation {} serves with {}", s.serving->value,
                     counted(s.workers_ready, "worker", "workers"));
}

// What is wrong with it though it serves, and what becomes of it.
std::string replacement_part(const Status& s) {
  std::string text;
  const auto failing = std::ranges::find_if(s.watched, [](const ProbeStatus& p) { return !p.saw.empty(); });
  if (failing != s.watched.end()) text = fmt::format(", its probe fails ({}: {})", failing->what, failing->saw);
  if (s.replaces) text += fmt::format(", generation {} is to replace it", s.candidate->value);
  return text;
}

std::string last_replacement_part(const ReplacementStatus& r) {
  if (r.ok)
    return fmt::format("; generation {} was replaced, since its probe failed: {}", r.replaced.value, r.why);
  return fmt::format("; generation {}, which was to replace it, failed: {}", r.by.value, r.why);
}

std::string probation_part(const ProbationStatus& p) {
  return fmt::format(", on probation, generation {} stands by", p.standby.value);
}

std::string surge_part(std::uint64_t candidate, const SurgeStatus& surge) {
  return fmt::format("{} of {} batches of generation {} serve, {}", surge.serve, surge.batches, candidate,
                     next_batch_text(surge.under_way, surge.leaving));
}

// Of the candidate.
std::string trial_part(const Status& s) {
  if (const auto& c = s.canary) {
    return fmt::format("generation {} gets {} of new connections (step {} of {})", s.candidate->value,
                       share_text(c->per_mille), c->step, c->steps);
  }
  if (s.surge && s.probes.empty()) return surge_part(s.candidate->value, *s.surge);
  if (s.probes.empty()) return fmt::format("generation {} is starting", s.candidate->value);
  const auto left = std::ranges::find(s.probes, false, &ProbeStatus::passed);
  const bool failing = left != s.probes.end() && !left->saw.empty();
  return fmt::format("{}generation {} is probed{}", s.surge ? "the first batch of " : "", s.candidate->value,
                     failing ? fmt::format(" ({}: {})", left->what, left->saw) : "");
}

std::string trouble_part(const Status& s) {
  std::string story =
      fmt::format("{}: {}", to_text(s.phase), serving_text(s.serving->value, s.workers_ready, s.workers_asked));
  if (s.last_exit) story += fmt::format(", worker {} {}", s.last_exit->slot, s.last_exit->exit.how);
  if (s.candidate && !s.replaces) story += ", " + trial_part(s);
  return story;
}

}  // namespace

std::string serving_text(std::uint64_t generation, std::uint64_t ready, std::uint64_t asked) {
  if (ready == 0) return fmt::format("no worker of generation {} serves", generation);
  const std::string text = fmt::format("generation {} serves", generation);
  return ready < asked ? fmt::format("{} with {} of {} workers", text, ready, asked) : text;
}

std::string next_batch_text(bool under_way, unsigned leaving) {
  if (under_way) return "the next one is starting";
  if (leaving == 0) return "the next one waits";
  return "the next one waits until " + counted(leaving, "worker has left", "workers have left");
}

std::string story_of(const Status& s) {
  std::string story;
  switch (s.phase) {
    case Phase::starting:
      return (s.candidate ? trial_part(s) : "starting") + (s.taken ? ", what is to be taken over serves" : "");
    case Phase::serving:
      story = serving_part(s);
      break;
    case Phase::degraded:
    case Phase::down:
      story = trouble_part(s);
      break;
    case Phase::reloading:
      story = fmt::format("{}, {}", serving_part(s), trial_part(s));
      break;
    case Phase::stopping:
      return fmt::format("stopping, {} left{}", counted(std::ssize(s.workers), "worker", "workers"),
                         s.survivors ? ", and what the graced before has left"
                         : s.taken   ? ", and what was taken over"
                                     : "");
    case Phase::finished:
      return "stopped";
  }
  story += replacement_part(s);
  if (s.probation) story += probation_part(*s.probation);
  if (const auto n = leaving(s, false); n > 0) story += fmt::format(", {} draining", n);
  if (const auto n = leaving(s, true); n > 0) story += fmt::format(", {} of a failed generation leaving", n);
  if (s.missing > 0) story += fmt::format(", {} to be started again", counted(s.missing, "worker", "workers"));
  if (s.next_restart) story += ", waiting to start another one";
  if (s.last_reload && !s.last_reload->ok) {
    story += fmt::format("; the reload to generation {} failed: {}", s.last_reload->generation.value,
                         s.last_reload->why);
  }
  if (s.last_replacement) story += last_replacement_part(*s.last_replacement);
  return story;
}

}  // namespace graced
