// Daemon: what a generation has to prove while it serves, and what becomes of one that does not: it is rolled
// back, or replaced by another one of the same.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/daemon.h"

namespace graced {

namespace {

std::string why_no_rollback(const Status& status) {
  if (status.phase == Phase::stopping || status.phase == Phase::finished) return "graced is stopping";
  if (!status.serving) return "no generation serves yet";
  if (status.surge && status.candidate)
    return fmt::format("generation {} comes in batches: graced abort ends that reload",
                       status.candidate->value);
  if (!status.previous) return fmt::format("no generation served before generation {}", status.serving->value);
  const bool leaves = std::ranges::any_of(
      status.workers, [&](const WorkerStatus& w) { return w.generation == *status.previous; });
  return fmt::format(
      "generation {} {}: deploy its build again and reload (--probation TIME keeps it for so long)",
      status.previous->value, leaves ? "leaves already" : "is gone");
}

}  // namespace

void Daemon::perform(const Probe& a) {
  const bool serves = a.generation == pump_.status().serving;
  if (!serves) events().probed(a.generation, pump_.status());
  const Plan& plan = addresses_.plan_of(a.generation);
  if (const auto why_not = examination_.looks.begin(a.generation, a.probe, plan)) {
    tell_what_probe_saw(a.generation, a.probe, why_not);
    pump_.post(ProbeFailed{a.generation, a.probe, *why_not});
  }
}

void Daemon::probe_saw(GenerationId generation, unsigned probe, const std::optional<std::string>& saw) {
  const OutputWatch::Later later(outputs_.own());
  tell_what_probe_saw(generation, probe, saw);
  if (saw) return happens(ProbeFailed{generation, probe, *saw});
  happens(ProbePassed{generation, probe});
}

// Of who serves that it goes on well is no news.
void Daemon::tell_what_probe_saw(GenerationId generation, unsigned probe,
                                 const std::optional<std::string>& saw) {
  const Plan* plan = addresses_.find_plan(generation);
  if (!plan) return;
  const LogFields about{.generation = generation.value};
  const std::string& what = plan->options.probes.at(probe).rule.what;
  const Status& status = pump_.status();
  if (generation != status.serving) return log_.info(about, "{}: {}", what, saw ? *saw : "passed");
  if (saw) return log_.warning(about, "{}: {}", what, *saw);
  const bool failed_before = std::ranges::any_of(
      status.watched, [&](const ProbeStatus& p) { return p.what == what && !p.saw.empty(); });
  failed_before ? log_.info(about, "{}: passed again", what) : log_.debug(about, "{}: passed", what);
}

void Daemon::perform(const Ailing& a) {
  const LogFields about{.generation = a.generation.value};
  if (pump_.status().candidate) {
    log_.error(about, "{}; generation {} replaces it, or else another one of the same", a.why,
               pump_.status().candidate->value);
  } else {
    log_.error(about, "{}; another one of the same {}", a.why, when_text(a.at));
  }
}

// At most so many are tried in a while.
std::string Daemon::when_text(Instant at) const {
  if (at == no_deadline) return "is not started, for --start-limit";
  const Duration in = at - monotonic_now();
  return in <= 0s ? "is started at once" : "is started in " + to_rough_text(in);
}

void Daemon::perform(const Replaced& a) {
  events().replaced(a.to, a.why, pump_.status());
  log_.warning({.generation = a.to.value},
               "serves in the place of generation {}, which was replaced, since its probe failed: {}",
               a.from.value, a.why);
}

// The one that was to replace `a.replaces`.
void Daemon::not_replaced(const Abandon& a, const std::string& why) {
  const Status& status = pump_.status();
  const LogFields about{.generation = a.generation.value};
  // Given up for a better one, or with all others.
  if (status.candidate || status.phase == Phase::stopping || status.serving != a.replaces)
    return log_.info(about, "is not to replace generation {} any more: {}", a.replaces.value, failure_.line());
  events().not_replaced(a.generation, why, status);
  log_.error(about, "was to replace generation {}, and failed: {}; that goes on, and another one {}",
             a.replaces.value, failure_.line(), when_text(pump_.status().next_replacement));
}

RollbackOutcome Daemon::rollback(pid_t who, uid_t user) {
  const OutputWatch::Later later(outputs_.own());
  const std::string by = named(who, user);
  log_.info("rollback asked at the control socket by {}", by);
  const Status& status = pump_.status();
  if (status.canary) return roll_back(*status.candidate, *status.serving, by);
  if (!status.rollback_to) return {.why_not = why_no_rollback(status)};
  const GenerationId to = *status.rollback_to;
  if (!status.probation) {
    if (const std::string closed = addresses_.closed_to(to); !closed.empty()) {
      return {.why_not = fmt::format("generation {} leaves already, and {}: deploy its build again and reload "
                                     "(--probation TIME keeps it for so long)",
                                     to.value, closed)};
    }
  }
  return roll_back(*status.serving, to, by);
}

RollbackOutcome Daemon::roll_back(GenerationId from, GenerationId to, const std::string& by) {
  events().asked();
  happens(RollbackAsked{by});
  return {from.value, to.value, ""};
}

void Daemon::perform(const Return& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w) return;
  w->retired = false;
  addresses_.returns(*w);
}

void Daemon::perform(const RolledBack& a) {
  outputs_.log().kept().failed(a.from.value);
  const std::string why = "rolled back: " + a.why;
  announcer_.control().reload_finished(a.from.value, false, why);
  events().rolled_back(a.from, a.why, a.by_probe, pump_.status());
  log_.error({.generation = a.from.value}, "rolled back: {}; generation {} serves again", a.why, a.to.value);
}

void Daemon::perform(const Proven& a) {
  addresses_.proven(a.standby);
  const LogFields about{.generation = a.generation.value};
  if (a.alone)
    log_.warning(about, "is on probation no more: all workers of generation {}, which stood by, have ended",
                 a.standby.value);
  else {
    events().promoted(a.generation, pump_.status());
    log_.info(about, "has stood its probation, and generation {} leaves", a.standby.value);
  }
}

}  // namespace graced
