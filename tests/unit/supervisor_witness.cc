// What the witness expects, action by action and then as a whole.
#include "supervisor_witness.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace graced {

namespace {

template <class... Args>
void promise(bool kept, fmt::format_string<Args...> what, Args&&... args) {
  if (!kept) throw BrokenPromise(fmt::format(what, std::forward<Args>(args)...));
}

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

bool same(const WorkerStatus& a, const WorkerStatus& b) {
  return a.worker == b.worker && a.generation == b.generation && a.slot == b.slot && a.state == b.state &&
         a.since == b.since && a.deadline == b.deadline && a.killed_at == b.killed_at;
}

}  // namespace

const Policy& Witness::policy_of(GenerationId generation) const {
  const auto it = policies_.find(generation);
  promise(it != policies_.end(), "generation {} was never prepared", generation.value);
  return it->second;
}

const Policy& Witness::serving_policy() const {
  return serving_ ? policy_of(*serving_) : first_;
}

std::optional<GenerationId> Witness::unprepared() const {
  return candidate_ && !policies_.contains(*candidate_) ? candidate_ : std::nullopt;
}

std::optional<unsigned> Witness::looking() const {
  for (const auto& [probe, look] : probed_) {
    if (look.looks) return probe;
  }
  return std::nullopt;
}

std::optional<unsigned> Witness::gate() const {
  return canary_ && canary_->asked ? std::optional(static_cast<unsigned>(canary_->step) + 1) : std::nullopt;
}

// It, or its first batch.
bool Witness::is_ready(GenerationId candidate) const {
  const auto ready = std::ranges::count_if(processes_, [&](const auto& p) {
    return p.second.generation == candidate && p.second.works() && p.second.is_ready;
  });
  return ready == (serving_ ? batch() : policy_of(candidate).workers);
}

// By the batch that starts, instead of another old one.
bool Witness::is_replaced_by_batch(unsigned slot) const {
  const unsigned all = policy_of(*candidate_).workers;
  return batch() < all && slot >= joined_ && (slot < joined_ + batch() || joined_ + batch() >= all);
}

// Nor is anybody going to. Those who have ended now are to be replaced, or not.
bool Witness::nobody_will_serve() const {
  // Those for whom there is no room are not going to be started beside a canary.
  const auto by_others = static_cast<unsigned>(
      std::ranges::count_if(to_be_filled_, [&](unsigned slot) { return !is_replaced_by_batch(slot); }));
  return (by_others == 0 || (by_others <= before_->missing && before_->waiting.empty())) &&
         std::ranges::none_of(processes_,
                              [&](const auto& p) { return is_serving(p.second) && p.second.works(); });
}

std::optional<unsigned> Witness::watching() const {
  for (const auto& [probe, look] : watched_) {
    if (look.looks) return probe;
  }
  return std::nullopt;
}

bool Witness::has_passed(GenerationId candidate) const {
  const auto& rules = policy_of(candidate).probes;
  for (unsigned i = 0; i < rules.size(); ++i) {
    const auto look = probed_.find(i);
    if (look == probed_.end() || look->second.passes < rules[i].passes) return false;
  }
  return true;
}

void Witness::sees(const Event& event, Instant now, const Status& before, const std::vector<Action>& actions,
                   const Supervisor& after) {
  ++tally_.events;
  if (finished_) {
    promise(actions.empty(), "something follows after Finished");
    promise(after.next_deadline() == no_deadline, "a deadline after Finished");
    return;
  }
  event_ = &event;
  before_ = &before;
  now_ = now;
  switched_from_.reset();
  abandoned_.reset();
  to_abort_.reset();
  ends_canary_ = gate_passed_ = false;
  has_failed_ = to_roll_back_ = rolled_back_ = told_of_rollback_ = proven_ = to_tell_of_replacement_ = false;
  returned_.reset();
  to_leave_now_.clear();
  who_leaves_now_.clear();
  joins_ = false;
  to_answer_now_.clear();
  told_now_.clear();
  to_settle_.clear();
  hammered_ = one_too_many_ = false;
  gone_now_.reset();
  rest_to_tell_.reset();
  to_take_back_.clear();
  const bool was_stopping = stopping_;

  happened(event);
  const Status status = after.status();
  if (status.phase == Phase::stopping || status.phase == Phase::finished) stopping_ = true;
  if (stopping_ && !was_stopping) {
    for (const auto& [id, slot] : std::exchange(waiting_, {})) to_take_back_.insert(id);
    to_be_filled_.clear();
    const bool proven_first =
        std::ranges::any_of(actions, [](const Action& a) { return std::holds_alternative<Proven>(a); });
    if (!proven_first) {
      standby_.reset();
      for (auto& [id, p] : processes_) p.standby = false;
      to_answer(probation_askers_, false);
    }
    to_answer(queued_askers_, false);
  }
  for (const Action& action : actions) done(action);
  promise(!has_failed_ || abandoned_, "a probe has failed, and its candidate goes on");
  promise(!candidate_ || canary_ || probed_.empty() || !has_passed(*candidate_),
          "all probes have passed, and no switch");
  promise(!ends_canary_ || abandoned_ || switched_from_, "a canary goes on that has failed");
  promise(!gate_passed_ || !gate(), "a gate has passed, and nothing follows");
  promise(to_roll_back_ == rolled_back_ || stopping_, "a generation fails on probation, and serves on");
  promise(rolled_back_ == told_of_rollback_, "a rollback is silent");
  promise(!to_tell_of_replacement_, "a replacement is silent");
  promise(!returned_ || rolled_back_, "a generation returns, and does not serve");
  promise(!to_abort_ || abandoned_ == to_abort_, "a reload goes on that was aborted");
  promise(!rest_to_tell_, "nobody tells what a worker has left behind");
  promise(!gone_now_, "a worker is gone, and nobody says whether it is lost");
  promise(to_take_back_.empty(), "what a worker listened on is kept for a replacement that never comes");
  look_at_end(was_stopping);
  look_at(status);
  look_at_workers(status);
  look_at_deadlines(after, status);
  look_at_the_untouched(status);
}

void Witness::happened(const Event& event) {
  const auto find = [&](WorkerId id) {
    const auto it = processes_.find(id);
    return it == processes_.end() ? nullptr : &it->second;
  };
  std::visit(Overloaded{
                 [&](const Prepared& e) {
                   if (unprepared() != e.generation) return;
                   policies_.emplace(e.generation, e.policy);
                   if (!replaces_) return;
                   policies_.at(e.generation).probation = 0s;
                   policies_.at(e.generation).canary.clear();
                 },
                 [&](const PreparationFailed&) {},
                 [&](const WorkerReady& e) {
                   Process* p = find(e.worker);
                   if (!p) return;
                   p->said_ready = true;
                   if (is_serving(*p)) serving_said_ready_ = true;
                   const ReadyRule rule = policy_of(p->generation).ready;
                   if (rule == ReadyRule::automatic || rule == ReadyRule::notify) p->is_ready = true;
                 },
                 [&](const WorkerListening& e) {
                   Process* p = find(e.worker);
                   if (!p) return;
                   const ReadyRule rule = policy_of(p->generation).ready;
                   if (rule == ReadyRule::listen || (rule == ReadyRule::automatic && !serving_said_ready_))
                     p->is_ready = true;
                 },
                 [&](const WorkerUnfit&) {},
                 [&](const WorkerStopping& e) {
                   Process* p = find(e.worker);
                   if (!p || !is_serving(*p) || !p->works() || !p->is_ready || stopping_) return;
                   if (serving_policy().restart != RestartRule::always) return;
                   p->left_by_itself = true;
                   ++tally_.left_by_themselves;
                   lost(e.worker, *p, 0);
                 },
                 [&](const WorkerAsksTime&) {},
                 [&](const WorkerIdle&) {},
                 [&](const WorkerGone& e) {
                   Process* p = find(e.worker);
                   if (!p || p->outlived) return;
                   if (p->works() && is_serving(*p) && !stopping_) lost(e.worker, *p, e.exit.status);
                   if (p->works() && canary_ && candidate_ == p->generation) ends_canary_ = true;
                   if (e.leaves_others) {
                     if (!p->killed && (!p->retired || p->drained)) rest_to_tell_ = e.worker;
                     ++(p->retired && !p->drained ? tally_.outlived_retired : tally_.outlived);
                     p->outlived = true;
                     return;
                   }
                   gone_now_ = *p;
                   processes_.erase(e.worker);
                 },
                 [&](const TreeGone& e) {
                   const Process* p = find(e.worker);
                   if (!p || !p->outlived) return;
                   gone_now_ = *p;
                   processes_.erase(e.worker);
                 },
                 [&](const ProbePassed& e) {
                   if (e.generation == serving_) return saw_while_serving(e.probe, true);
                   const auto look = probed_.find(e.probe);
                   if (e.generation != candidate_ || look == probed_.end() || !look->second.looks) return;
                   look->second = {.passes = look->second.passes + 1};
                 },
                 [&](const ProbeFailed& e) {
                   if (e.generation == serving_) return saw_while_serving(e.probe, false);
                   const auto look = probed_.find(e.probe);
                   if (e.generation != candidate_ || look == probed_.end() || !look->second.looks) return;
                   look->second = {.fails = look->second.fails + 1};
                   has_failed_ = look->second.fails >= policy_of(*candidate_).probes[e.probe].fails;
                   if (has_failed_) ++tally_.failed_probes;
                 },
                 [&](const ShareFailed& e) { ends_canary_ = canary_ && candidate_ == e.generation; },
                 [&](const GatePassed& e) { gate_passed_ = candidate_ == e.generation && gate() == e.step; },
                 [&](const GateFailed& e) { ends_canary_ = candidate_ == e.generation && gate() == e.step; },
                 [&](const SurvivorsFound&) { survivors_ = true; },
                 [&](const SurvivorsGone&) { survivors_ = false; },
                 [&](const TakenFound& e) {
                   taken_ = true;
                   taken_elsewhere_ = e.ended_elsewhere;
                 },
                 [&](const TakenIdle&) {},
                 [&](const TakenGone&) { taken_ = false; },
                 [&](const Settled&) {},
                 [&](const ReloadAsked& e) {
                   if (e.settled) wait_until_settled_.insert(e.by);
                   if (!stopping_ && (candidate_ || queued_)) {
                     queued_ = true;
                     ++tally_.queued;
                     if (replaces_) to_abort_ = candidate_;  // and it is next at once
                     if (replaces_) ++tally_.given_up_for_reload;
                   }
                   if (e.by == nobody) return;
                   if (stopping_)
                     to_answer_now_.emplace(e.by, false);
                   else
                     (queued_ ? queued_askers_ : candidate_askers_).insert(e.by);
                 },
                 [&](const AbortAsked&) {
                   if (serving_ && !replaces_) to_abort_ = candidate_;
                   if (to_abort_) ++tally_.aborts;
                 },
                 [&](const RollbackAsked&) {
                   ends_canary_ = canary_.has_value();
                   to_roll_back_ = (standby_ || before_->rollback_to) && !canary_;
                 },
                 [&](const StopAsked& e) {
                   hammered_ = stopping_;
                   if (!stopping_) stop_asked_ = true;
                   stopping_ = true;
                   if (e.by != nobody) stop_askers_.insert(e.by);
                 },
                 [&](const HammerAsked&) { hammered_ = true; },
                 [&](const TimePassed&) {
                   for (auto& [id, p] : processes_) {
                     const Policy& policy = policy_of(p.generation);
                     if (policy.ready == ReadyRule::after && p.works() &&
                         after(p.started, policy.ready_after) <= now_) {
                       p.is_ready = true;
                     }
                   }
                 },
             },
             event);
}

void Witness::lost(WorkerId id, const Process& process, int status) {
  last_lost_ = id;
  const Policy& policy = policy_of(process.generation);
  if (standby_ && (policy.restart == RestartRule::always || status != 0)) to_roll_back_ = true;
  if (policy.restart == RestartRule::never || (policy.restart == RestartRule::on_failure && status == 0))
    return;
  if (policy.restart_delay != infinity) to_be_filled_.insert(process.slot);
  unexpected_exits_.push_back(now_);
  std::erase_if(unexpected_exits_, [&](Instant t) { return after(t, policy.start_limit_window) <= now_; });
  if (to_roll_back_) return;
  if (unexpected_exits_.size() > policy.start_limit && !candidate_ && !queued_) one_too_many_ = true;
}

// Where nobody is ready nothing that is seen counts, and then it begins anew: the core's own count is believed.
void Witness::saw_while_serving(unsigned probe, bool passed) {
  const auto look = watched_.find(probe);
  if (look == watched_.end() || !look->second.looks) return;
  look->second.looks = false;
  if (stopping_) return;
  look->second.fails = passed ? 0 : look->second.fails + 1;
  const ProbeRule& rule = serving_policy().probes[probe];
  const auto was = std::ranges::find(before_->watched, rule.what, &ProbeStatus::what);
  promise(was != before_->watched.end(), "status: probe {} does not look", probe);
  promise(was->fails <= look->second.fails + (passed ? was->fails : 0),
          "status: probe {} has failed more often", probe);
  const bool any_ready = std::ranges::any_of(before_->workers, [&](const WorkerStatus& w) {
    return w.generation == serving_ && w.state == WorkerState::ready;
  });
  if (passed || !any_ready || was->fails + 1 < rule.fails || !standby_) return;
  to_roll_back_ = true;
  ++tally_.rollbacks_by_probe;
}

void Witness::done(const Action& action) {
  promise(!finished_, "Finished was not the last action");
  std::visit([&](const auto& a) { on(a); }, action);
}

void Witness::on(const Prepare& a) {
  promise(!candidate_, "two candidates");
  promise(!stopping_, "a reload begins while graced stops");
  promise(a.generation == GenerationId{newest_.value + 1}, "generation {} does not follow {}",
          a.generation.value, newest_.value);
  candidate_ = newest_ = a.generation;
  replaces_.reset();
  if (a.same_as != GenerationId{}) return begins_to_replace(a);
  if (std::exchange(queued_, false)) candidate_askers_ = std::exchange(queued_askers_, {});
}

void Witness::begins_to_replace(const Prepare& a) {
  promise(a.same_as == serving_, "generation {} is replaced, which does not serve", a.same_as.value);
  promise(!queued_ && !standby_, "a replacement begins instead of a reload or a rollback");
  const auto& rules = serving_policy().probes;
  promise(std::ranges::any_of(watched_, [&](const auto& w) { return w.second.fails >= rules[w.first].fails; }),
          "generation {} is replaced for nothing", a.same_as.value);
  const Policy& policy = serving_policy();
  std::erase_if(attempts_, [&](Instant at) { return after(at, policy.start_limit_window) <= now_; });
  promise(attempts_.size() < policy.start_limit, "too many replacements");
  promise(next_attempt_ <= now_, "a replacement begins before its delay is over");
  attempts_.push_back(now_);
  replaces_ = a.same_as;
}

void Witness::on(const Ailing& a) {
  promise(a.generation == serving_ && !standby_ && !stopping_, "generation {} ails for nothing",
          a.generation.value);
  promise(std::holds_alternative<ProbeFailed>(*event_), "generation {} ails, and nobody has looked",
          a.generation.value);
  promise(a.at >= after(now_, serving_policy().restart_delay), "generation {} is replaced too soon",
          a.generation.value);
  next_attempt_ = a.at;
  ++tally_.ailed;
}

void Witness::on(const Replaced& a) {
  promise(std::exchange(to_tell_of_replacement_, false) && switched_from_ == a.from && serving_ == a.to,
          "a replacement is told that was none");
  promise(!a.why.empty(), "a replacement without a reason");
}

// It was told nothing, and serves from the Switch on.
void Witness::on(const Return& a) {
  const auto it = processes_.find(a.worker);
  promise(it != processes_.end(), "Return for worker {}, who is not there", a.worker.value);
  Process& p = it->second;
  promise((p.retired || p.settles) && !p.drained && !p.killed && !p.outlived,
          "worker {} returns, which has been told or does not leave", a.worker.value);
  promise(std::holds_alternative<RollbackAsked>(*event_) && previous_ == p.generation,
          "worker {} returns for nothing", a.worker.value);
  p.retired = p.settles = false;
  p.standby = p.is_ready = true;
  returned_ = p.generation;
}

void Witness::on(const Spawn& a) {
  promise(a.worker > newest_worker_, "worker {} is not new", a.worker.value);
  promise(!stopping_, "a worker is started while graced stops");
  promise(candidate_ == a.generation || serving_ == a.generation, "a worker for generation {}",
          a.generation.value);
  const Policy& policy = policy_of(a.generation);
  promise(a.slot < policy.workers, "slot {} of {}", a.slot, policy.workers);
  for (const auto& [id, p] : processes_) {
    promise(!(p.generation == a.generation && p.slot == a.slot && p.works()), "slot {} has a worker", a.slot);
  }
  const bool watch =
      policy.ready == ReadyRule::listen || (policy.ready == ReadyRule::automatic && !serving_said_ready_);
  promise(a.watch_listening == watch, "worker {} is watched or not", a.worker.value);
  promise(a.ready == policy.ready, "worker {} is judged by another rule", a.worker.value);
  if (candidate_ == a.generation && serving_ && batch() < policy.workers) {
    const std::size_t most = std::max(serving_policy().workers, policy.workers) + batch();
    promise(processes_.size() < most, "more than {} workers for a batch", most);
    promise(a.slot < joined_ + batch(), "a worker of another batch is started");
    promise(!standby_, "a batch is started, and somebody stands by");
  }
  newest_worker_ = a.worker;
  if (serving_ == a.generation) {
    to_be_filled_.erase(a.slot);
    std::erase_if(waiting_, [&](const auto& w) { return w.second == a.slot; });
  }
  processes_[a.worker] = Process{.generation = a.generation, .slot = a.slot, .started = now_};
  if (serving_ == a.generation) ++tally_.replacements;
  if (serving_ == a.generation && want_back_) ++tally_.restored;
  if (before_->missing <= 1) want_back_ = false;
}

void Witness::probe_serving(unsigned probe) {
  promise(serving_policy().probes.at(probe).while_serving.has_value(), "probe {} looks at who serves", probe);
  const bool any = std::ranges::any_of(
      processes_, [&](const auto& p) { return is_serving(p.second) && p.second.works() && p.second.is_ready; });
  promise(any && !stopping_, "probe {} looks where nobody is ready", probe);
  promise(!std::exchange(watched_[probe].looks, true), "probe {} looks twice at a time", probe);
}

void Witness::on(const Probe& a) {
  if (a.generation == serving_) return probe_serving(a.probe);
  promise(candidate_ == a.generation, "generation {} is probed, which is not the candidate",
          a.generation.value);
  const Policy& policy = policy_of(a.generation);
  promise(a.probe < policy.probes.size(), "there is no probe {}", a.probe);
  promise(is_ready(a.generation), "generation {} is probed before it is ready", a.generation.value);
  promise(joined_ == 0, "generation {} is probed though it serves", a.generation.value);
  Look& look = probed_[a.probe];
  promise(!look.looks, "probe {} looks twice at a time", a.probe);
  promise(
      canary_ ? policy.probes[a.probe].while_serving.has_value() : look.passes < policy.probes[a.probe].passes,
      "probe {} looks again though it has passed", a.probe);
  look.looks = true;
}

void Witness::on(const Share& a) {
  promise(candidate_ == a.generation, "a share for generation {}, which is not the candidate",
          a.generation.value);
  if (a.per_mille == 0) {
    promise(canary_ && !std::exchange(canary_->taken_back, true), "a share is taken back that nobody has");
    return;
  }
  const Policy& policy = policy_of(a.generation);
  promise(is_ready(a.generation), "a share for generation {} before it is ready", a.generation.value);
  if (!canary_) return begins_canary(a);
  promise(canary_->until <= now_, "a step is too short");
  promise(policy.gated ? gate_passed_ : std::holds_alternative<TimePassed>(*event_), "a step for nothing");
  promise(++canary_->step < policy.canary.size(), "a step more than there are");
  promise(a.per_mille == policy.canary[canary_->step].per_mille, "the wrong share");
  canary_->until = after(now_, policy.canary[canary_->step].time);
  canary_->asked = false;
  ++tally_.canary_steps;
}

void Witness::begins_canary(const Share& a) {
  const Policy& policy = policy_of(a.generation);
  promise(serving_.has_value(), "a canary where nobody serves");
  promise(has_passed(a.generation), "a share for generation {}, whose probes have not passed",
          a.generation.value);
  promise(!policy.canary.empty() && a.per_mille == policy.canary.front().per_mille, "the wrong share at first");
  if (!std::exchange(probed_, {}).empty()) ++tally_.probed;
  canary_ = Course{.until = after(now_, policy.canary.front().time)};
  ++tally_.canaries;
}

void Witness::on(const Gate& a) {
  promise(canary_ && candidate_ == a.generation, "a gate for what is no canary");
  promise(policy_of(a.generation).gated, "a gate where none was asked for");
  promise(canary_->until <= now_, "a gate before its time");
  promise(a.step == canary_->step + 1, "a gate for another step");
  promise(!std::exchange(canary_->asked, true), "a gate is asked twice");
  ++tally_.gates;
}

unsigned Witness::batch() const {
  const Policy& policy = policy_of(*candidate_);
  return policy.max_surge.of(policy.workers);
}

void Witness::on(const Join& a) {
  promise(candidate_ == a.candidate && serving_ && !stopping_,
          "generation {} joins, which is not the candidate", a.candidate.value);
  proves_itself(a.candidate);
  if (!std::exchange(probed_, {}).empty()) ++tally_.probed;
  const unsigned before = std::exchange(joined_, joined_ + batch());
  promise(joined_ < policy_of(a.candidate).workers, "the last batch of generation {} joins", a.candidate.value);
  unsigned ready = 0;
  for (auto& [id, p] : processes_) {
    if (p.generation != a.candidate) continue;
    promise(p.works() && p.is_ready, "generation {} joins although worker {} is not ready", a.candidate.value,
            id.value);
    p.joined = true;
    ++ready;
  }
  promise(ready == joined_, "{} workers join, not {}", ready, joined_);
  std::vector<WorkerId> replaced;
  for (auto& [id, p] : processes_) {
    if (!is_serving(p) || !p.works() || p.slot < before || p.slot >= joined_) continue;
    replaced.push_back(id);
    is_to_leave(id, p, policy_of(a.candidate));
    given_up_.insert(p.slot);
  }
  promise(replaced == a.replaced, "generation {} joins in the place of others", a.candidate.value);
  for (unsigned slot = before; slot < joined_; ++slot) {
    if (to_be_filled_.erase(slot) == 1) given_up_.insert(slot);
  }
  joins_ = true;
  ++tally_.joins;
}

void Witness::on(const Switch& a) {
  ++tally_.switches;
  if (candidate_ == a.to)
    promoted(a);
  else
    rolled_back(a);
}

// The last step is over, or nobody else serves.
void Witness::ends_canary() {
  const Policy& policy = policy_of(*candidate_);
  if (nobody_will_serve()) {
    ++tally_.canaries_alone;
  } else {
    promise(canary_->step + 1 == policy.canary.size(), "a switch before the last step");
    promise(canary_->until <= now_ && (!policy.gated || gate_passed_), "a switch before the last step is over");
  }
  promise(!canary_->taken_back, "a switch to a canary that has failed");
  canary_.reset();
}

// It serves, or its first batch does.
void Witness::proves_itself(GenerationId candidate) {
  if (canary_) return ends_canary();
  if (joined_ > 0) return;
  promise(has_passed(candidate), "generation {} serves, whose probes have not passed", candidate.value);
  const bool anybody = std::ranges::any_of(
      processes_, [&](const auto& p) { return is_serving(p.second) && p.second.works() && p.second.is_ready; });
  promise(policy_of(candidate).canary.empty() || !anybody || std::holds_alternative<TimePassed>(*event_),
          "generation {} gets everybody at once", candidate.value);
}

void Witness::promoted(const Switch& a) {
  proves_itself(a.to);
  promise(joined_ == 0 || joined_ + batch() >= policy_of(a.to).workers, "a switch before the last batch");
  joined_ = 0;
  given_up_.clear();
  if (!std::exchange(probed_, {}).empty()) ++tally_.probed;
  std::set<unsigned> ready;
  for (const auto& [id, p] : processes_) {
    if (p.generation != a.to) continue;
    promise(p.works() && p.is_ready, "a switch although worker {} is not ready", id.value);
    ready.insert(p.slot);
  }
  promise(ready.size() == policy_of(a.to).workers, "a switch to {} of {} workers", ready.size(),
          policy_of(a.to).workers);
  const GenerationId standby = who_stands_by(a.to);
  promise(a.standby == standby, "generation {} stands by, not {}", a.standby.value, standby.value);

  promise(a.told_apart == replaces_.has_value(), "a reload is told as a replacement, or the other way round");
  if (replaces_) {
    promise(replaces_ == serving_, "the wrong generation is replaced");
    to_tell_of_replacement_ = true;
    ++tally_.replaced;
  } else {
    if (serving_) previous_ = serving_;
    attempts_.clear();
    next_attempt_ = {};
  }
  replaces_.reset();
  second_ = standby_.has_value();
  to_answer(probation_askers_, false);
  const auto before = std::exchange(standby_, std::nullopt);
  candidate_.reset();
  serves_now(a.to);
  if (standby != GenerationId{}) {
    standby_ = standby;
    probation_until_ = after(now_, serving_policy().probation);
    for (auto& [id, p] : processes_) {
      if (p.generation == standby && can_stand_by(id, p)) p.standby = true;
    }
    std::set<RequestId> told_now;
    for (const RequestId by : candidate_askers_)
      (wait_until_settled_.contains(by) ? probation_askers_ : told_now).insert(by);
    candidate_askers_ = std::move(told_now);
  }
  to_answer(candidate_askers_, true);
  if (before && before != standby_) is_to_leave(*before);
  is_to_leave(*switched_from_);
}

GenerationId Witness::who_stands_by(GenerationId serving) const {
  if (policy_of(serving).probation == 0s || !serving_) return {};
  if (standby_) return *standby_;
  const bool any = std::ranges::any_of(
      processes_, [&](const auto& p) { return is_serving(p.second) && can_stand_by(p.first, p.second); });
  return any ? *serving_ : GenerationId{};
}

// The oldest worker whose time has come is ready first, and the last one of the candidate is the newest one;
// the end of a canary comes after all of them.
bool Witness::can_stand_by(WorkerId id, const Process& p) const {
  if (!p.works() || !p.is_ready) return false;
  const auto was = std::ranges::find(before_->workers, id, &WorkerStatus::worker);
  if (was->state == WorkerState::ready || before_->canary) return true;
  const auto last = std::find_if(processes_.rbegin(), processes_.rend(),
                                 [&](const auto& other) { return other.second.generation == newest_; });
  return id < last->first;
}

void Witness::rolled_back(const Switch& a) {
  promise(standby_ == a.to || returned_ == a.to,
          "a switch to generation {}, which is no candidate and does not stand by", a.to.value);
  promise(a.told_apart, "a rollback is told as a reload");
  if (returned_) ++tally_.called_back;
  previous_ = serving_;
  attempts_.clear();
  next_attempt_ = {};
  promise(to_roll_back_, "a rollback for nothing");
  promise(a.standby == GenerationId{}, "generation {} stands by after a rollback", a.standby.value);
  standby_.reset();
  rolled_back_ = true;
  to_abort_ = candidate_;
  ++tally_.rollbacks;
  if (second_) ++tally_.rollbacks_of_second;
  for (auto& [id, p] : processes_) {
    if (p.generation == a.to) p.standby = false;
  }
  serves_now(a.to);
  is_to_leave(*switched_from_);
  to_answer(probation_askers_, false);
}

void Witness::serves_now(GenerationId generation) {
  switched_from_ = serving_.value_or(GenerationId{});
  serving_ = generation;
  serving_said_ready_ = std::ranges::any_of(
      processes_, [&](const auto& p) { return is_serving(p.second) && p.second.said_ready; });
  watched_.clear();
  unexpected_exits_.clear();
  last_lost_.reset();
  to_be_filled_.clear();
  waiting_.clear();
}

void Witness::is_to_leave(GenerationId generation) {
  to_leave_now_.insert(generation);
  for (auto& [id, p] : processes_) {
    if (p.generation != generation) continue;
    if (p.standby && standby_ == generation) continue;
    p.standby = false;
    if (p.works()) is_to_leave(id, p, serving_policy());
  }
}

// following: of those who get the new connections.
void Witness::is_to_leave(WorkerId id, Process& p, const Policy& following) {
  who_leaves_now_.insert(id);
  p.settles = policy_of(p.generation).drain == DrainRule::signal && following.settle > 0s;
  p.settle_time = following.settle;
  if (p.settles) to_settle_.insert(p.generation);
}

void Witness::on(const RolledBack& a) {
  promise(rolled_back_ && switched_from_ == a.from && serving_ == a.to, "a rollback is told that was none");
  promise(!std::exchange(told_of_rollback_, true), "a rollback is told twice");
  promise(!a.why.empty(), "a rollback without a reason");
}

void Witness::on(const Proven& a) {
  promise(standby_ == a.standby && serving_ == a.generation,
          "generation {} is proven, and was not on probation", a.generation.value);
  const bool alone = std::ranges::none_of(processes_, [](const auto& p) { return p.second.stands_by(); });
  promise(a.alone == alone, "generation {} has one that stands by or not", a.generation.value);
  promise(alone || (std::holds_alternative<TimePassed>(*event_) && probation_until_ <= now_),
          "generation {} is proven too early", a.generation.value);
  proven_ = true;
  ++(alone ? tally_.left_alone : tally_.proven);
  standby_.reset();
  is_to_leave(a.standby);
  to_answer(probation_askers_, true);
}

void Witness::to_answer(std::set<RequestId>& askers, bool ok) {
  for (const RequestId by : std::exchange(askers, {})) to_answer_now_.emplace(by, ok);
}

void Witness::on(const Abandon& a) {
  promise(candidate_ == a.generation, "generation {} is abandoned, which is not the candidate",
          a.generation.value);
  promise(!std::holds_alternative<Prepared>(*event_) && !std::holds_alternative<WorkerReady>(*event_) &&
              !std::holds_alternative<ProbePassed>(*event_) && !std::holds_alternative<GatePassed>(*event_) &&
              (replaces_ || !std::holds_alternative<ReloadAsked>(*event_)) &&
              !std::holds_alternative<HammerAsked>(*event_),
          "a candidate is abandoned for nothing");
  promise(!std::holds_alternative<AbortAsked>(*event_) || to_abort_ == a.generation,
          "an abort ends what is no reload");
  promise(!std::holds_alternative<ProbeFailed>(*event_) || has_failed_ || rolled_back_,
          "a candidate is abandoned though it may fail again");
  promise(!a.too_late || std::holds_alternative<TimePassed>(*event_), "generation {} was not late",
          a.generation.value);
  promise(a.replaces == replaces_.value_or(GenerationId{}),
          "an abandoned reload is told as a replacement or not");
  if (replaces_) ++tally_.not_replaced;
  if (std::exchange(replaces_, std::nullopt) == serving_ && !std::holds_alternative<ReloadAsked>(*event_))
    next_attempt_ = std::max(next_attempt_, after(now_, serving_policy().restart_delay));
  abandoned_ = std::exchange(candidate_, std::nullopt);
  probed_.clear();
  const bool by_stop = a.why == "graced is stopping";  // else a stop may follow at once
  if (const auto canary = std::exchange(canary_, std::nullopt)) {
    promise(canary->taken_back, "a canary has failed, and goes on getting connections");
    promise(ends_canary_ || has_failed_ || rolled_back_ || stopping_ || to_abort_, "a canary ends for nothing");
    ++tally_.failed_canaries;
    if (!by_stop) is_to_leave(a.generation);
  } else {
    thrown_away_.insert(a.generation);
  }
  for (auto& [id, p] : processes_) {
    if (p.generation == a.generation && p.joined && p.works() && !by_stop) is_to_leave(id, p, serving_policy());
  }
  if (std::exchange(joined_, 0) > 0) ++tally_.joined_failed;
  want_back_ = want_back_ || !given_up_.empty();
  if (!stopping_) to_be_filled_.merge(given_up_);
  given_up_.clear();
  to_answer(candidate_askers_, false);
  ++tally_.abandons;
}

void Witness::on(const Retire& a) {
  const auto it = processes_.find(a.worker);
  promise(it != processes_.end(), "Retire for worker {}, who is not there", a.worker.value);
  Process& p = it->second;
  promise(p.works(), "worker {} is retired though it leaves already", a.worker.value);
  promise(policy_of(p.generation).drain == DrainRule::idle, "worker {} is to be told at once", a.worker.value);
  promise(stopping_ || who_leaves_now_.contains(a.worker), "worker {} is retired for nothing", a.worker.value);
  p.retired = true;
  told_now_.insert(a.worker);
}

// It is idle, its time is over, or it must make room.
void Witness::told_retired(WorkerId id, Process& p) {
  promise(!p.drained, "worker {} is told to leave twice", id.value);
  p.drained = true;
  const auto* idle = std::get_if<WorkerIdle>(event_);
  if (idle && idle->worker == id) {
    ++tally_.idle;
    return;
  }
  const bool too_many = draining_generations().size() > serving_policy().max_draining;
  if (may_need_room() && too_many) {
    p.told_for_room = true;
    ++tally_.told_for_room;
    return;
  }
  const auto was = std::ranges::find(before_->workers, id, &WorkerStatus::worker);
  const bool no_time = policy_of(p.generation).drain_timeout == 0s || serving_policy().stop_timeout == 0s;
  const bool late = was->state == WorkerState::retiring ? was->deadline <= now_ : no_time;
  promise(std::holds_alternative<TimePassed>(*event_) && late, "worker {} is told to leave for nothing",
          id.value);
  ++tally_.told_when_late;
}

void Witness::on(const Settle& a) {
  promise(policy_of(a.generation).drain == DrainRule::signal, "generation {} is to be idle first",
          a.generation.value);
  promise(to_settle_.erase(a.generation) == 1, "generation {} has nobody to settle", a.generation.value);
}

// It has settled, its time is over, it must make room, or graced stops.
void Witness::told_settling(WorkerId id, Process& p) {
  promise(!p.drained, "worker {} is told to leave twice", id.value);
  p.drained = true;
  const auto* settled = std::get_if<Settled>(event_);
  if (settled && settled->generation == p.generation) {
    ++tally_.settled;
    return;
  }
  if (stopping_) return;
  if (may_need_room() && draining_generations().size() > serving_policy().max_draining) return;
  const auto was = std::ranges::find(before_->workers, id, &WorkerStatus::worker);
  promise(std::holds_alternative<TimePassed>(*event_) && was->deadline <= now_,
          "worker {} is told to leave before it has settled", id.value);
  ++tally_.settled_late;
}

void Witness::on(const Drain& a) {
  const auto it = processes_.find(a.worker);
  promise(it != processes_.end(), "Drain for worker {}, who is not there", a.worker.value);
  Process& p = it->second;
  if (p.retired) return told_retired(a.worker, p);
  if (p.settles) return told_settling(a.worker, p);
  promise(p.works(), "worker {} is told to leave though it leaves already", a.worker.value);
  const bool late = std::holds_alternative<TimePassed>(*event_) && is_serving(p) && !p.is_ready &&
                    std::ranges::any_of(before_->workers, [&](const WorkerStatus& w) {
                      return w.worker == a.worker && w.state == WorkerState::starting && w.deadline <= now_;
                    });
  const bool thrown_away = abandoned_ == p.generation && thrown_away_.contains(p.generation) && !p.joined;
  promise(stopping_ || who_leaves_now_.contains(a.worker) || thrown_away || late,
          "worker {} is told to leave for nothing", a.worker.value);
  promise(late || thrown_away || policy_of(p.generation).drain == DrainRule::signal,
          "worker {} is told to leave and has connections", a.worker.value);
  // The one before was one too many: this one leaves with all others.
  const bool given_up = stopping_ && one_too_many_;
  if (late && switched_from_ != p.generation && !given_up) {
    lost(a.worker, p, 1);
    ++tally_.late_replacements;
  }
  p.drained = true;
  told_now_.insert(a.worker);
}

void Witness::on(const DrainRest& a) {
  promise(rest_to_tell_ == a.worker, "the rest of worker {} is told to leave for nothing", a.worker.value);
  rest_to_tell_.reset();
}

void Witness::on(const Kill& a) {
  const auto it = processes_.find(a.worker);
  promise(it != processes_.end(), "Kill for worker {}, who is not there", a.worker.value);
  Process& p = it->second;
  promise(!p.killed, "worker {} is killed twice", a.worker.value);
  promise(
      p.drained || p.left_by_itself || (p.outlived && !p.retired) || ((p.retired || p.settles) && hammered_),
      "worker {} is killed without having been told to leave", a.worker.value);

  const auto was = std::ranges::find(before_->workers, a.worker, &WorkerStatus::worker);
  const bool patience_over =
      std::holds_alternative<TimePassed>(*event_) &&
      (was->state == WorkerState::draining
           ? was->deadline <= now_
           : policy_of(p.generation).drain_timeout == 0s || serving_policy().stop_timeout == 0s ||
                 (proven_ && policy_of(p.generation).drain_grace == 0s));
  if (hammered_) {
    ++tally_.kills_by_request;
  } else if (patience_over) {
    ++tally_.kills_by_deadline;
  } else {
    promise(may_need_room(), "worker {} is killed for nothing", a.worker.value);
    const std::set<GenerationId> draining = draining_generations();
    promise(draining.size() > serving_policy().max_draining, "worker {} is killed though there is room",
            a.worker.value);
    const auto elder = [&](const auto& other) {
      return other.second.generation < p.generation && draining.contains(other.second.generation) &&
             other.second.leaves() && !other.second.told_for_room;
    };
    promise(std::ranges::none_of(processes_, elder), "worker {} is killed before its elders", a.worker.value);
    ++tally_.kills_by_max_draining;
  }
  p.killed = true;
}

void Witness::on(const DrainSurvivors&) {
  promise(survivors_ && !std::exchange(survivors_drained_, true),
          "survivors are drained twice, or without being there");
  promise(switched_from_ || stopping_, "survivors are drained while nobody else serves");
}

void Witness::on(const KillSurvivors&) {
  promise(survivors_ && survivors_drained_, "survivors are killed that were told nothing");
  promise(!std::exchange(survivors_killed_, true), "survivors are killed twice");
  const auto& before = before_->survivors;
  const Policy& policy = serving_policy();
  const bool at_once = before && before->state == WorkerState::ready &&
                       (stopping_ ? policy.stop_timeout : policy.drain_timeout) == 0s;
  promise(hammered_ || at_once || (before && before->deadline <= now_),
          "survivors are killed before their time");
  ++tally_.survivors_killed;
}

void Witness::on(const RetireTaken&) {
  promise(taken_ && !std::exchange(taken_retired_, true), "what is taken over retires twice, or is not there");
  promise(serving_ && serving_policy().drain == DrainRule::idle,
          "what is taken over retires, and nobody serves");
}

void Witness::on(const DrainTaken&) {
  promise(taken_ && !std::exchange(taken_drained_, true), "what is taken over is told twice, or is not there");
  const auto& before = before_->taken;
  const bool idle = std::holds_alternative<TakenIdle>(*event_);
  if (!std::exchange(taken_retired_, true)) {
    promise(serving_ && serving_policy().drain == DrainRule::signal,
            "what is taken over is told, and was not idle");
  } else {
    const bool at_once = before && before->state == WorkerState::ready && serving_policy().drain_timeout == 0s;
    promise(idle || hammered_ || at_once || (before && before->deadline <= now_),
            "what is taken over is told before its time");
  }
  ++tally_.taken_told;
}

void Witness::on(const KillTaken&) {
  promise(taken_ && !taken_elsewhere_ && taken_retired_, "what is taken over is killed without being told");
  promise(!std::exchange(taken_killed_, true), "what is taken over is killed twice");
  const auto& before = before_->taken;
  const bool at_once = before && before->state == WorkerState::ready;
  promise(hammered_ || at_once || (before && before->killed_at <= now_),
          "what is taken over is killed before its time");
  ++tally_.taken_killed;
}

void Witness::on(const GiveBackTaken&) {
  promise(taken_ && !taken_retired_ && !serving_, "what was taken is given back");
  promise(processes_.empty(), "it is given back while workers are left");
  given_back_ = true;
  ++tally_.taken_given_back;
}

void Witness::on(const Lost& a) {
  if (to_take_back_.erase(a.worker) == 1) {
    promise(!a.replaced, "worker {} is to be replaced while graced stops", a.worker.value);
    return;
  }
  const auto* gone = std::get_if<WorkerGone>(event_);
  const auto* tree = std::get_if<TreeGone>(event_);
  const bool named = (gone && gone->worker == a.worker) || (tree && tree->worker == a.worker);
  promise(named && gone_now_, "worker {} is lost, and was not there", a.worker.value);
  const Process p = *std::exchange(gone_now_, std::nullopt);
  const bool has_successor = std::ranges::any_of(processes_, [&](const auto& other) {
    return is_serving(other.second) && other.second.slot == p.slot && other.second.works();
  });
  const bool right = is_serving(p) && !stopping_ && (has_successor || to_be_filled_.contains(p.slot));
  promise(a.replaced == right, "worker {} is replaced or not", a.worker.value);
  if (a.replaced && !has_successor) waiting_.emplace(a.worker, p.slot);
}

void Witness::on(const Answer& a) {
  const auto expected = to_answer_now_.find(a.to);
  const bool of_a_reload = expected != to_answer_now_.end();
  promise(of_a_reload || stop_askers_.erase(a.to) == 1, "an answer to {}, who does not wait for one",
          a.to.value);
  promise(a.ok == (of_a_reload ? expected->second : true), "{} is told the wrong outcome", a.to.value);
  if (of_a_reload) to_answer_now_.erase(expected);
  promise(a.ok || !a.why.empty(), "{} is not told why", a.to.value);
  promise(a.failed == GenerationId{} || (!a.ok && abandoned_ == a.failed), "{} is told of the wrong failure",
          a.to.value);
  promise(of_a_reload || processes_.empty(), "{} is told too early that graced has stopped", a.to.value);
  promise(a.generation == serving_.value_or(GenerationId{}), "{} is told the wrong generation", a.to.value);
}

void Witness::on(const Finished& a) {
  promise(stopping_ && processes_.empty(), "Finished, though processes are left");
  promise(!survivors_ || a.exit_status != 0, "Finished, though survivors are left");
  promise(!taken_ || taken_retired_ || given_back_,
          "Finished, and what was to be taken over is not given back");
  promise(!stop_asked_ || a.exit_status == 0, "a stop that was asked for counts as a failure");
  promise(serving_ ? a.failed == GenerationId{} : a.exit_status == 0 || a.failed != GenerationId{},
          "what ended the start is not told from what ended graced");
  promise(all_answered() && to_answer_now_.empty(), "Finished, though somebody waits for an answer");
  finished_ = true;
  ++tally_.finished;
}

void Witness::look_at_end(bool was_stopping) {
  if (stopping_) {
    promise(queued_askers_.empty(), "a queued reload is not refused by a stop");
    queued_ = false;
    promise(!candidate_, "a candidate on trial while graced stops");
    promise(std::ranges::none_of(processes_, [](const auto& p) { return p.second.works(); }),
            "somebody was not told to leave");
    if (!survivors_ && !taken_leaves())
      promise(finished_ == processes_.empty(), "no process is left, and no Finished");
    if (stop_asked_ && !was_stopping)
      promise(!survivors_ || survivors_drained_, "survivors were not told to leave");
  }
  promise(to_answer_now_.empty(), "somebody is not answered when it is time");
  const bool settles = std::ranges::any_of(processes_, [&](const auto& p) {
    return p.second.settles && p.second.leaves() && !p.second.drained &&
           to_settle_.contains(p.second.generation);
  });
  promise(!settles, "a generation settles, and nobody is to look");
  if (hammered_) {
    promise(std::ranges::none_of(processes_, [](const auto& p) { return p.second.leaves(); }),
            "the hammer missed");
    const bool waited_for = survivors_ && survivors_drained_;
    promise(!waited_for || survivors_killed_, "the hammer missed survivors");
    promise(!taken_leaves() || taken_killed_ || taken_elsewhere_, "the hammer missed what was taken over");
  }

  const bool too_many = serving_ && unexpected_exits_.size() > serving_policy().start_limit;
  if (stopping_ && !was_stopping && !stop_asked_) {
    // One that was started again for a reload that failed, and is late, has no successor by that rule.
    const bool none_follows = serving_ && serving_policy().restart == RestartRule::never;
    const bool none_left =
        before_->waiting.empty() && (none_follows || std::ranges::none_of(told_now_, [&](WorkerId id) {
                                       return is_serving(processes_.at(id));
                                     }));
    promise(!serving_ || too_many || none_left, "graced gives up for nothing");
    ++tally_.gave_up;
  }
  promise(!one_too_many_ || stopping_, "graced does not give up beyond the start limit");
}

void Witness::look_at(const Status& status) {
  const auto ready = static_cast<unsigned>(std::ranges::count_if(
      processes_, [&](const auto& p) { return serves(p.second) && p.second.works() && p.second.is_ready; }));
  const unsigned asked = serving_ ? std::max(serving_policy().workers, joined_) : 0;
  const Phase phase = finished_                  ? Phase::finished
                      : stopping_                ? Phase::stopping
                      : !serving_                ? Phase::starting
                      : ready == 0               ? Phase::down
                      : ready < asked            ? Phase::degraded
                      : candidate_ && !replaces_ ? Phase::reloading
                                                 : Phase::serving;
  promise(status.workers_ready == ready, "status: {} workers ready, not {}", status.workers_ready, ready);
  promise(status.workers_asked == asked, "status: wrong number of workers asked");
  promise(!status.surge || status.surge->serve == joined_ / batch(), "status: wrong number of batches");
  look_at_last_exit(status);
  promise(status.phase == phase, "status: phase is {}, not {}", to_text(status.phase), to_text(phase));
  promise(status.serving == serving_, "status: wrong serving generation");
  promise(status.candidate == candidate_, "status: wrong candidate");
  promise(status.replaces == replaces_, "status: wrong about a replacement");
  promise(status.previous == previous_, "status: wrong about who served before");
  if (status.rollback_to && !standby_) {
    promise(status.rollback_to == previous_, "status: a rollback to generation {}", status.rollback_to->value);
    bool any = false;
    for (const auto& [id, p] : processes_) {
      if (p.generation != previous_) continue;
      promise(!p.drained && !p.killed, "status: a rollback to one of whom worker {} was told", id.value);
      any = any || (p.leaves() && !p.outlived);
    }
    promise(any, "status: a rollback to one that is gone");
  }
  promise(status.probation.has_value() == standby_.has_value(), "status: wrong about a probation");
  promise(status.canary.has_value() == canary_.has_value(), "status: wrong about a canary");
  if (canary_)
    promise(status.canary->step == canary_->step + 1 &&
                status.canary->until == (canary_->asked ? no_deadline : canary_->until),
            "status: wrong step");
  if (standby_)
    promise(status.probation->standby == *standby_ && status.probation->until == probation_until_,
            "status: wrong probation");
  if (rolled_back_)
    promise(status.workers_asked ==
                std::ranges::count_if(processes_,
                                      [&](const auto& p) { return is_serving(p.second) && p.second.works(); }),
            "a rollback to some of the workers");
  promise(status.taken.has_value() == (taken_ && !finished_), "status: wrong about what is taken over");
  if (status.taken) {
    const WorkerState state = taken_killed_    ? WorkerState::killed
                              : taken_drained_ ? WorkerState::draining
                              : taken_retired_ ? WorkerState::retiring
                                               : WorkerState::ready;
    promise(status.taken->state == state, "status: what is taken over is {}, not {}",
            to_text(status.taken->state), to_text(state));
    promise(state != WorkerState::ready || !serving_, "what is taken over goes on beside a generation");
  }
  promise(status.reload_queued == queued_, "status: wrong about a queued reload");
  std::set<GenerationId> untold = draining_generations();
  std::erase_if(untold, [&](GenerationId g) {
    return std::ranges::all_of(processes_, [&](const auto& p) {
      return p.second.generation != g || !p.second.leaves() || p.second.told_for_room;
    });
  });
  // At a stop the one that stands by leaves with all others.
  promise(untold.size() <= serving_policy().max_draining + (stopping_ ? 1 : 0),
          "more than {} generations drain", serving_policy().max_draining);
  if (const auto* settled = std::get_if<Settled>(event_)) {
    promise(std::ranges::none_of(processes_,
                                 [&](const auto& p) {
                                   return p.second.generation == settled->generation && p.second.settles &&
                                          p.second.leaves() && !p.second.drained && !p.second.outlived;
                                 }),
            "generation {} has settled and is not told to leave", settled->generation.value);
  }
  if (const auto* idle = std::get_if<WorkerIdle>(event_)) {
    const auto it = processes_.find(idle->worker);
    promise(it == processes_.end() || !it->second.retired || it->second.drained || it->second.killed,
            "worker {} is idle and is not told to leave", idle->worker.value);
  }
}

void Witness::look_at_last_exit(const Status& status) {
  promise(status.last_exit.has_value() == last_lost_.has_value(), "status: the last exit is told or not");
  if (!last_lost_) return;
  promise(status.last_exit->worker == *last_lost_, "status: the last exit is that of worker {}, not of {}",
          status.last_exit->worker.value, last_lost_->value);
  const auto it = processes_.find(*last_lost_);
  promise(status.last_exit->gone == (it == processes_.end() || it->second.outlived),
          "status: worker {} is said to be gone or not", last_lost_->value);
}

void Witness::look_at_workers(const Status& status) {
  promise(status.workers.size() == processes_.size(), "status: {} workers, {} processes", status.workers.size(),
          processes_.size());
  std::map<GenerationId, unsigned> working;
  auto process = processes_.begin();
  for (const WorkerStatus& w : status.workers) {
    const auto& [id, p] = *process++;
    promise(w.worker == id, "status: worker {} is out of place", w.worker.value);
    promise(w.generation == p.generation && w.slot == p.slot, "status: worker {} is somewhere else", id.value);
    const WorkerState state = p.killed                                 ? WorkerState::killed
                              : p.settles && !p.drained && !p.outlived ? WorkerState::settling
                              : p.retired && !p.drained                ? WorkerState::retiring
                              : p.leaves()                             ? WorkerState::draining
                              : p.stands_by()                          ? WorkerState::standby
                              : p.is_ready                             ? WorkerState::ready
                                                                       : WorkerState::starting;
    promise(w.joined == p.joined, "status: worker {} has joined or not", id.value);
    promise(w.thrown_away == (thrown_away_.contains(w.generation) && !p.joined),
            "status: worker {} is thrown away or not", id.value);
    promise(w.state == state, "status: worker {} is {}, not {}", id.value, to_text(w.state), to_text(state));
    if (p.works()) {
      promise(is_serving(p) || candidate_ == p.generation, "worker {} works for nobody", id.value);
      promise(++working[p.generation] <= policy_of(p.generation).workers, "more than N workers");
    }
  }
}

void Witness::look_at_deadlines(const Supervisor& core, const Status& status) {
  const Instant next = core.next_deadline();
  if (std::holds_alternative<TimePassed>(*event_))
    promise(next >= now_, "a deadline in the past after TimePassed");
  for (const WorkerStatus& w : status.workers) {
    const Process& p = processes_.at(w.worker);
    const Policy& policy = policy_of(p.generation);
    promise(next <= w.deadline, "the deadline of worker {} is slept through", w.worker.value);
    look_at_connections(w);
    if (w.state == WorkerState::ready || w.state == WorkerState::standby || w.state == WorkerState::killed) {
      promise(w.deadline == no_deadline, "worker {} has a deadline", w.worker.value);
    }
    const auto was = std::ranges::find(before_->workers, w.worker, &WorkerStatus::worker);
    if (was == before_->workers.end()) {
      const Duration patience = policy.ready == ReadyRule::after ? policy.ready_after : policy.ready_timeout;
      promise(w.deadline == after(now_, patience), "worker {} has the wrong time to become ready",
              w.worker.value);
    } else if (p.retired && w.state != was->state && w.state != WorkerState::killed) {
      const Instant right = time_of_retired(w, *was);
      promise(stopping_ ? w.deadline <= right : w.deadline == right, "worker {} has the wrong time to retire",
              w.worker.value);
    } else if (w.state == WorkerState::settling) {
      const bool right = was->state == WorkerState::settling ? w.deadline == was->deadline
                                                             : w.deadline == after(now_, p.settle_time);
      promise(right, "worker {} has the wrong time to settle", w.worker.value);
    } else if (w.state == WorkerState::draining && was->state != WorkerState::draining) {
      const Instant by_drain = after(now_, policy.drain_timeout);
      const Instant by_stop = after(now_, serving_policy().stop_timeout);
      const bool right = !stopping_ ? w.deadline == by_drain
                                    : w.deadline == std::min(by_drain, by_stop) ||
                                          (w.deadline == by_stop && p.drained &&
                                           (is_serving(p) || p.joined || was->state == WorkerState::standby ||
                                            (before_->canary && before_->candidate == p.generation)));
      promise(right, "worker {} has the wrong time to leave", w.worker.value);
    }
    if (stopping_ && before_->phase != Phase::stopping && p.leaves()) {
      promise(w.killed_at <= after(now_, serving_policy().stop_timeout), "worker {} may stay too long",
              w.worker.value);
    }
  }
  if (canary_ && !canary_->asked) promise(next <= canary_->until, "the end of a step is slept through");
  if (status.taken)
    promise(next <= status.taken->deadline, "the deadline of what is taken over is slept through");
  if (standby_) promise(next <= probation_until_, "the end of a probation is slept through");
  if (status.next_restart) promise(next <= *status.next_restart, "a restart is slept through");
  if (queued_ && !candidate_) promise(next <= now_ + 10 * burst_quiet, "a queued reload is slept through");
  if (!probed_.empty()) {
    promise(next <= status.probed_until, "the end of probing is slept through");
    promise(looking() || next <= after(now_, 1s), "a look is slept through");
  }
  if (!stopping_ && status.next_replacement != no_deadline && status.workers_ready > 0 && !candidate_ &&
      !queued_)
    promise(next <= status.next_replacement, "a replacement is slept through");
  if (unprepared()) {
    promise(next <= after(now_, serving_policy().ready_timeout), "a preparation may hang for ever");
  }
}

// While graced stops it may be less.
Instant Witness::time_of_retired(const WorkerStatus& w, const WorkerStatus& was) const {
  const Policy& policy = policy_of(w.generation);
  const Duration limit = stopping_ ? serving_policy().stop_timeout : policy.drain_timeout;
  const Duration grace = std::min(policy.drain_grace, limit / 4);
  if (w.state == WorkerState::retiring) return after(now_, limit == infinity ? infinity : limit - grace);
  if (std::holds_alternative<WorkerIdle>(*event_)) return was.killed_at;
  return after(now_, stopping_ ? policy.drain_grace : grace);
}

void Witness::look_at_connections(const WorkerStatus& w) {
  const Process& p = processes_.at(w.worker);
  const Policy& policy = policy_of(p.generation);
  if (w.state != WorkerState::retiring) {
    promise(w.last_call == no_deadline || (p.retired && w.state == WorkerState::draining),
            "connections of worker {} are to be closed, which are not watched", w.worker.value);
    const Instant killed_at = w.state == WorkerState::settling   ? after(w.deadline, policy.drain_timeout)
                              : w.state == WorkerState::draining ? w.deadline
                                                                 : no_deadline;
    promise(w.killed_at == killed_at, "worker {} is killed at the wrong time", w.worker.value);
    return;
  }
  promise((w.deadline == no_deadline) == (w.killed_at == no_deadline), "worker {} is killed without its signal",
          w.worker.value);
  const bool asked = policy.drain_idle != infinity;
  promise(asked ? w.any_pause <= w.last_call && w.last_call <= w.deadline
                : w.any_pause == no_deadline && w.deadline <= w.last_call && w.last_call <= w.killed_at,
          "connections of worker {} are closed too early or too late", w.worker.value);
  promise(stopping_ ? w.drain_idle <= serving_policy().stop_idle : w.drain_idle == policy.drain_idle,
          "connections of worker {} are idle too early or too late", w.worker.value);
}

// What happens to the candidate is nothing to the workers that serve.
void Witness::look_at_the_untouched(const Status& status) {
  if (!before_->candidate || !before_->serving || switched_from_ || stopping_ || joins_) return;
  const auto own_business = Overloaded{[&](const auto& e) requires requires {e.worker;
}
{
  return std::ranges::any_of(before_->workers, [&](const WorkerStatus& w) {
    return w.worker == e.worker && w.generation == serving_;
  });
}
, [](const TimePassed&) { return true; }, [](const HammerAsked&) { return true; },
    // Of one that was rolled back to: who was not ready when it first left.
    [&](const Settled& e) { return e.generation == serving_; }, [](const auto&) { return false; },
};  // namespace graced
if (std::visit(own_business, *event_)) return;
const auto of_serving = [&](const Status& s) {
  std::vector<WorkerStatus> found;
  // Those that are started in the place of what has been given up are new.
  std::ranges::copy_if(s.workers, std::back_inserter(found), [&](const auto& w) {
    return w.generation == serving_ &&
           std::ranges::find(before_->workers, w.worker, &WorkerStatus::worker) != before_->workers.end();
  });
  return found;
};
promise(std::ranges::equal(of_serving(*before_), of_serving(status), same),
        "a reload touched the serving workers");
}

std::set<GenerationId> Witness::draining_generations() const {
  std::set<GenerationId> found;
  for (const auto& [id, p] : processes_) {
    const bool stood_by =
        stopping_ && !proven_ && before_->probation && before_->probation->standby == p.generation;
    if (p.leaves() && !is_serving(p) && standby_ != p.generation && !stood_by) found.insert(p.generation);
  }
  return found;
}

}  // namespace graced
