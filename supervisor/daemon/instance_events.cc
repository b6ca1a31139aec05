#include "daemon/instance_events.h"

#include <algorithm>
#include <utility>

#include "linux/event/loop.h"
#include "options/option_values.h"

namespace graced {

namespace {

Asker by_graced() {
  return {.how = "graced"};
}

Asker by_probe() {
  return {.how = "probe"};
}

bool ends(Phase phase) {
  return phase == Phase::stopping || phase == Phase::finished;
}

bool somebody_serves(Phase phase) {
  return phase == Phase::serving || phase == Phase::degraded || phase == Phase::reloading;
}

bool takes_new_connections(WorkerState state) {
  return state == WorkerState::starting || state == WorkerState::ready || state == WorkerState::standby;
}

}  // namespace

InstanceEvents::InstanceEvents(std::string name, std::function<void(const InstanceEvent&)> told)
    : name_(std::move(name)), told_(std::move(told)) {}

InstanceEvents::Kept InstanceEvents::kept() const {
  return {asker_, next_, by_, candidate_, ended_, failed_start_, why_failed_, draining_, phase_};
}

void InstanceEvents::take_over(Kept kept) {
  asker_ = std::move(kept.asker);
  next_ = std::move(kept.next);
  by_ = std::move(kept.by);
  candidate_ = std::move(kept.candidate);
  ended_ = kept.ended;
  failed_start_ = kept.failed_start;
  why_failed_ = std::move(kept.why_failed);
  draining_ = std::move(kept.draining);
  phase_ = kept.phase;
}

void InstanceEvents::reload_asked() {
  if (!next_) next_ = asker_;
}

void InstanceEvents::began(GenerationId candidate, const Status& status) {
  const auto asked = status.replaces ? std::optional(by_probe()) : std::exchange(next_, std::nullopt);
  candidate_ = Candidate{candidate,
                         asked            ? *asked
                         : status.serving ? by_graced()
                                          : Asker{.how = "start"},
                         monotonic_now()};
  add(Kind::preparing, candidate, status).by = candidate_->by;
}

InstanceEvents::Candidate* InstanceEvents::candidate(GenerationId generation) {
  return candidate_ && candidate_->generation == generation ? &*candidate_ : nullptr;
}

void InstanceEvents::check_began(GenerationId generation, const Status& status) {
  Candidate* c = candidate(generation);
  if (c) c->checked = add(Kind::checking, generation, status).monotonic;
  tell();  // its options may have been read beside the core's events
}

void InstanceEvents::spawns(GenerationId generation, const Status& status) {
  Candidate* c = candidate(generation);
  if (c && !c->started) c->started = add(Kind::starting, generation, status).monotonic;
}

void InstanceEvents::is_ready(Candidate& c, const Status& status) {
  if (!std::exchange(c.ready, true)) add(Kind::ready, c.generation, status);
}

void InstanceEvents::probed(GenerationId generation, const Status& status) {
  Candidate* c = candidate(generation);
  if (!c) return;
  is_ready(*c, status);
  if (!c->probed) c->probed = add(Kind::probing, generation, status).monotonic;
}

void InstanceEvents::shared(GenerationId generation, unsigned per_mille, const Status& status) {
  Candidate* c = candidate(generation);
  if (!c) return;
  is_ready(*c, status);
  InstanceEvent& event = add(Kind::canary, generation, status);
  event.per_mille = per_mille;
  if (!c->shared) c->shared = event.monotonic;
}

// Each stage lasts until the next one that there was.
void InstanceEvents::add_course(InstanceEvent& event) const {
  const Candidate& c = *candidate_;
  const Instant end = event.monotonic;
  const Instant shared = c.shared.value_or(end);
  const Instant probed = c.probed.value_or(shared);
  const Instant started = c.started.value_or(probed);
  event.by = c.by;
  event.took = end - c.began;
  event.stages.prepare = c.checked.value_or(started) - c.began;
  if (c.checked) event.stages.check = started - *c.checked;
  if (c.started) event.stages.start = probed - started;
  if (c.probed) event.stages.probe = shared - probed;
  if (c.shared) event.stages.canary = end - shared;
}

void InstanceEvents::serves(GenerationId generation, const Status& status) {
  Candidate* c = candidate(generation);
  if (c) is_ready(*c, status);
  const bool first = phase_ == Phase::starting;
  InstanceEvent& event = add(first ? Kind::serving : Kind::reloaded, generation, status);
  if (c) add_course(event);
  phase_ = status.phase;
}

InstanceEvent InstanceEvents::taken(GenerationId first, pid_t server, const std::string& who,
                                    const Status& status) {
  InstanceEvent& event = add(Kind::taken, first, status);
  event.by = by_graced();
  event.worker_pid = server;
  event.reason = who;
  return event;
}

void InstanceEvents::failed(GenerationId generation, const std::string& why, const Status& status) {
  if (!status.serving) {  // graced gives up, or was asked to stop: told as that
    failed_start_ = generation;
    why_failed_ = why;
    return;
  }
  InstanceEvent& event = add(Kind::reload_failed, generation, status);
  event.ok = false;
  event.reason = why;
  if (candidate(generation)) add_course(event);
}

void InstanceEvents::replaced(GenerationId by, const std::string& why, const Status& status) {
  Candidate* c = candidate(by);
  if (c) is_ready(*c, status);
  InstanceEvent& event = add(Kind::replaced, by, status);
  event.reason = why;
  if (c) add_course(event);
}

void InstanceEvents::not_replaced(GenerationId generation, const std::string& why, const Status& status) {
  InstanceEvent& event = add(Kind::replacement_failed, generation, status);
  event.ok = false;
  event.reason = why;
  if (candidate(generation)) add_course(event);
}

void InstanceEvents::rolled_back(GenerationId from, const std::string& why, bool probe, const Status& status) {
  InstanceEvent& event = add(Kind::rolled_back, from, status);
  event.ok = false;
  if (!by_) event.reason = why;
  event.by = by_.value_or(probe ? by_probe() : Asker{.how = "crash"});
}

void InstanceEvents::promoted(GenerationId generation, const Status& status) {
  add(Kind::promoted, generation, status).by = by_graced();
}

// Those of one generation are one event.
void InstanceEvents::killed(GenerationId generation, std::size_t workers, const Status& status) {
  const bool more = !news_.empty() && news_.back().kind == Kind::hammered &&
                    news_.back().generation.value_or(0) == generation.value;
  InstanceEvent& event = more ? news_.back() : add(Kind::hammered, generation, status);
  event.by = by_.value_or(by_graced());
  event.reason = by_ ? "" : "not gone in time";
  event.killed += static_cast<std::uint32_t>(workers);
}

void InstanceEvents::decided(const Status& status, const FindDeparted& departed) {
  const auto& last = status.last_exit;
  if (!last || !last->gone || ended_ == last->worker) return;
  ended_ = last->worker;
  const Departed* worker = departed(last->worker);
  InstanceEvent& event = add(Kind::crashed, last->generation, status);
  event.ok = false;
  event.reason = reason_of(last->exit, worker);
  event.worker = last->slot;
  if (worker) {
    event.worker_pid = worker->pid;
    event.lived = worker->lived;
  }
  if (last->exit.signal != 0) {
    event.signal = "SIG" + signal_name(last->exit.signal);
  } else {
    event.status = last->exit.status;
  }
}

void InstanceEvents::handled(const Status& status) {
  look_at_phase(status);
  look_at_draining(status);
  by_.reset();
  tell();
}

void InstanceEvents::tell() {
  const std::vector<InstanceEvent> news = std::exchange(news_, {});
  for (const InstanceEvent& event : news) told_(event);
}

void InstanceEvents::look_at_phase(const Status& status) {
  const Phase before = std::exchange(phase_, status.phase);
  if (ends(status.phase)) {
    if (!ends(before)) look_at_end(status);
    return;
  }
  const GenerationId serving = status.serving.value_or(GenerationId{});
  if (before == Phase::down && somebody_serves(status.phase))
    add(Kind::serving, serving, status).by.how = "crash";
  if (before == status.phase) return;
  if (status.phase == Phase::down) {
    add(Kind::down, serving, status).ok = false;
  } else if (status.phase == Phase::degraded) {
    add(Kind::degraded, serving, status).ok = false;
  } else if (before == Phase::degraded && somebody_serves(status.phase)) {
    add(Kind::recovered, serving, status);
  }
}

void InstanceEvents::look_at_end(const Status& status) {
  const bool asked = status.exit_status == 0;
  const auto about = failed_start_.value_or(status.serving.value_or(GenerationId{}));
  InstanceEvent& event = add(asked ? Kind::stopping : Kind::gave_up, about, status);
  event.ok = asked;
  event.reason = by_ ? "" : failed_start_ && !asked ? why_failed_ : status.stops_because;
  if (failed_start_ && candidate(*failed_start_)) add_course(event);
  event.by = by_.value_or(by_graced());
}

void InstanceEvents::upgraded(const Asker& by, bool ok, const std::string& reason, const Status& status) {
  InstanceEvent& event = add(ok ? Kind::upgraded : Kind::upgrade_failed, GenerationId{}, status);
  event.by = by;
  event.ok = ok;
  event.reason = reason;
  tell();
}

// A candidate that failed has never served, and a worker that leaves a serving generation leaves others behind.
void InstanceEvents::look_at_draining(const Status& status) {
  for (const WorkerStatus& w : status.workers) {
    const GenerationId g = w.generation;
    if (w.thrown_away || takes_new_connections(w.state) || g == status.candidate) continue;
    if (g == status.serving && !ends(status.phase)) continue;
    if (!status.serving || std::ranges::find(draining_, g) != draining_.end()) continue;
    const bool all = std::ranges::none_of(status.workers, [&](const WorkerStatus& other) {
      return other.generation == g && takes_new_connections(other.state);
    });
    if (!all) continue;
    draining_.push_back(g);
    add(Kind::draining, g, status);
  }
  const auto gone = [&](GenerationId g) {
    return std::ranges::find(status.workers, g, &WorkerStatus::generation) == status.workers.end();
  };
  for (const GenerationId g : draining_)
    if (gone(g)) add(Kind::gone, g, status);
  std::erase_if(draining_, gone);
}

InstanceEvent& InstanceEvents::add(Kind kind, GenerationId about, const Status& status) {
  InstanceEvent event{.kind = kind, .name = name_, .at = std::chrono::system_clock::now()};
  event.monotonic = monotonic_now();
  if (about != GenerationId{}) event.generation = about.value;
  if (status.serving) event.serving = status.serving->value;
  return news_.emplace_back(std::move(event));
}

}  // namespace graced
