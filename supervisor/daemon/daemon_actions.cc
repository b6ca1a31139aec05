// Daemon: what the core decided on is done.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <variant>

#include "core/story.h"
#include "core/version.h"
#include "daemon/daemon.h"
#include "daemon/worker_log.h"
#include "linux/base/own_process.h"
#include "linux/proc/send_signal.h"
#include "linux/self/footprint.h"

namespace graced {

// What is told before the actions are done: who is ready answers clients already.
void Daemon::decided() {
  const Status& status = pump_.status();
  for (const WorkerId ready : announcer_.tell_of_workers(status, workers_)) {
    addresses_.handoff().is_ready(ready);
    // Of a candidate's once, at the switch.
    if (pump_.status_of(ready)->generation == status.serving) addresses_.look_again();
  }
  reaper_.forget_departed(status);
  events().decided(status, [this](WorkerId worker) { return reaper_.departed(worker); });
  announcer_.tell_of_restarts(status);
}

void Daemon::done() {
  forget_output();
  addresses_.keep_time_of_retired();
  addresses_.forget_who_is_told();
  events().handled(pump_.status());
  announcer_.tell_of_phase(pump_.status(), pump_.next_deadline(), failure_.error());
  upgrading_.look_soon();
}

void Daemon::perform(const Prepare& a) {
  failure_.begin(a.generation);
  events().began(a.generation, pump_.status());
  if (a.same_as != GenerationId{}) {
    const Plan& same = addresses_.plan_of(a.same_as);
    return prepare(a.generation, [&] {
      return planner_.another(same, addresses_.spare_place(),
                              addresses_.sets_for(a.generation, comes_in_batches(same.options.policy)));
    });
  }
  if (!pump_.status().serving) {
    prepare(a.generation, [&] { return planner_.first_plan(addresses_.restored(), addresses_.spare_place()); });
    return;
  }
  try {
    planner_.read_again([this, generation = a.generation](const Planner::MakePlan& make) {
      const OutputWatch::Later later(outputs_.own());
      prepare(generation, [&] {
        return make(*addresses_.serving_plan(), addresses_.spare_place(),
                    [&](bool beside) { return addresses_.sets_for(generation, beside); });
      });
    });
  } catch (const std::exception& e) { pump_.post(PreparationFailed{a.generation, e.what()}); }
}

void Daemon::prepare(GenerationId generation, const std::function<Plan()>& plan_of) {
  const bool first = !pump_.status().serving;
  try {
    addresses_.look_at_paths();  // one that can be put back need not be made anew
    const Plan& plan = addresses_.add(generation, plan_of());
    advisor_.warn(plan.handoff.notes);
    addresses_.open(generation, planner_.capabilities());
    if (first) before_.takeover.begin(plan, planner_.capabilities());
    if (first) {
      log_.info("graced {} supervises '{}' with PID {}, control socket {}", own_version(),
                planner_.first_options().name, own_pid(), presence_.instance().control_path());
      for (const auto& listener : addresses_.restored().taken())
        log_.info("listens on {} again", listener->address());
    }
    if (!first && !plan.check.empty()) {
      start_check(generation, plan);
    } else {
      happens(Prepared{generation, plan.options.policy});
    }
  } catch (const std::exception& e) {
    if (const auto* known = dynamic_cast<const std::system_error*>(&e))
      failure_.note_error(known->code().value());
    const bool usage = dynamic_cast<const UsageError*>(&e) != nullptr;
    happens(PreparationFailed{generation, e.what(), usage ? 2 : 1});
  }
}

void Daemon::start_check(GenerationId generation, const Plan& plan) {
  const Preflight::Began check = examination_.preflight.begin(plan, generation);
  if (!check.why_not.empty()) {
    pump_.post(PreparationFailed{generation, "check: " + check.why_not});
    return;
  }
  events().check_began(generation, pump_.status());
  log_.info({.generation = generation.value, .worker_pid = check.pid}, "check started: {}",
            fmt::join(plan.check, " "));
}

void Daemon::perform(const Spawn& a) {
  events().spawns(a.generation, pump_.status());
  const Plan& plan = addresses_.plan_of(a.generation);
  try {
    OutputPipes pipes = ProcessOutputs::make_pipes(plan, plan.options.watch_stderr);
    const Launch launch = launcher_.for_worker(plan, a.generation, a.slot, pipes);
    auto result = spawn(launch);
    if (const auto* failed = std::get_if<SpawnFailed>(&result)) {
      not_started(a, {failed->why, failed->missing ? 127 : 126});
      return;
    }
    WorkerProcess& worker = started(a, std::get<Spawned>(std::move(result)), plan);
    worker.outputs = outputs_.watch(std::move(pipes), plan,
                                    {.generation = a.generation.value, .worker = a.slot, .pid = worker.pid});
    ready_.watch(attended(worker, plan), a.ready);
    if (a.watch_listening)
      ready_.expect_listening(a.worker, {!pump_.status().serving, plan.options.adopt_changes});
    announcer_.tell_of_start(worker);
    log_.info(about(worker), "started: {}", fmt::join(plan.command, " "));
    tell_of_artefact(worker, plan, launch);
  } catch (const std::exception& e) { not_started(a, {e.what(), 1}); }
}

WorkerProcess& Daemon::started(const Spawn& spawn, Spawned process, const Plan& plan) {
  WorkerProcess& worker = workers_.add();
  worker.id = spawn.worker;
  worker.generation = spawn.generation;
  worker.slot = spawn.slot;
  worker.pid = process.pid;
  worker.pidfd = std::move(process.pidfd);
  worker.started = monotonic_now();
  worker.drain_signal = plan.options.drain_signal;
  worker.signal_asked = plan.options.drain == DrainChoice::signal;
  worker.command = plan.command;
  worker.served = plan.served;
  if (plan.handoff.switched)
    addresses_.handoff().started(spawn.worker, spawn.generation, worker.pid, std::move(process.notifications),
                                 plan.handoff.adoption.wait_killable);
  return worker;
}

// Of a candidate it is the reason why that failed, and told as such.
void Daemon::not_started(const Spawn& spawn, Exit why) {
  if (spawn.generation == pump_.status().serving) {
    log_.warning({.generation = spawn.generation.value, .worker = spawn.slot}, "could not be started: {}",
                 why.how);
  }
  pump_.post(WorkerGone{spawn.worker, std::move(why)});
}

void Daemon::tell_of_artefact(const WorkerProcess& worker, const Plan& plan, const Launch& launch) {
  if (launch.program && launch.program->path.empty()) {
    log_.info(about(worker),
              "runs the file that generation {} was prepared with; {} does not lead to it any more",
              worker.generation.value, plan.artefact->executable());
  }
  if (worker.generation != pump_.status().serving) return;
  if (const auto changed = plan.artefact->look().changed; !changed.empty()) {
    log_.warning(about(worker), "may run other code than generation {} was prepared with: {} changed since",
                 worker.generation.value, fmt::join(changed, ", "));
  }
}

void Daemon::perform(const Switch& a) {
  examination_.looks.give_up_all();  // at who served; who serves now has passed
  addresses_.switch_to(a.to, a.standby == GenerationId{} ? std::nullopt : std::optional(a.standby));
  const Plan& plan = addresses_.plan_of(a.to);
  limit_draining(plan.options);
  readers_.use(plan.options);
  if (a.told_apart) {
    if (plan.options.draining_memory_high) launcher_.cgroups().set_no_memory_high(a.to.value);
    return;
  }
  events().serves(a.to, pump_.status());
  const auto& reload = pump_.status().last_reload;
  if (reload && reload->generation == a.to) {
    announcer_.control().reload_finished(a.to.value, true, "");
    log_.info({.generation = a.to.value}, "serves, the reload took {}", to_rough_text(reload->took));
  } else {
    log_.info({.generation = a.to.value}, "serves");
  }
  before_.takeover.serves(a.to);
  if (const auto& probation = pump_.status().probation; probation && probation->standby == a.standby)
    tell_of_standby(a);
  presence_.serves(outputs_.own());
  if (!reload) give_back_memory();  // the start is over
}

void Daemon::perform(const Join& a) {
  const std::string path = addresses_.join(a);
  const auto& surge = pump_.status().surge;
  if (!surge) return;
  const LogFields about{.generation = a.candidate.value};
  log_.info(about, "serves with {} of {} batches, and as many workers of generation {} leave", surge->serve,
            surge->batches, pump_.status().serving->value);
  if (surge->serve == 1 && !path.empty())
    log_.warning(about, "{} leads to one generation at a time: it goes over with the last batch", path);
}

void Daemon::tell_of_standby(const Switch& a) {
  log_.info({.generation = a.standby.value}, "stands by for {}, while generation {} is on probation",
            to_text(addresses_.plan_of(a.to).options.policy.probation), a.to.value);
  for (const Handoff::Address& address : addresses_.handoff().adopted_addresses(a.standby)) {
    if (address.how == Handoff::How::switched) continue;
    log_.warning({.generation = a.standby.value},
                 "{} is shared with generation {}: new connections there go to both while it stands by",
                 address.address, a.to.value);
  }
}

void Daemon::perform(const Abandon& a) {
  outputs_.log().kept().failed(a.generation.value);
  examination_.preflight.give_up(a.generation);
  examination_.looks.give_up(a.generation);
  readers_.gates().give_up(a.generation);
  const WaitsFor waits = planner_.waits_for();
  planner_.give_up();
  std::string missing;  // what it was waited for
  for (const WorkerProcess& w : workers_) {
    if (w.generation != a.generation) continue;
    if (!failure_.has_last_words()) failure_.note_last_words(a.generation, w.outputs.last_words());
    if (!w.stopped_by.empty() && missing.empty()) missing = "stopped by " + w.stopped_by;
    if (a.too_late && missing.empty()) missing = ready_.waits_for(w.id);
    ready_.forget(w.id);
  }
  if (!waits.what.empty()) missing = fmt::format("{} could not be {} in that time", waits.what, waits.how);
  if (const Plan* plan = addresses_.find_plan(a.generation)) limit_draining(plan->options);
  if (workers_.count(a.generation) == 0) launcher_.cgroups().leave(a.generation.value);
  addresses_.drop(a.generation);

  failure_.failed(a.why, missing);
  if (a.replaces != GenerationId{}) return not_replaced(a, failure_.in_full(a.generation, a.why));
  const Status& status = pump_.status();
  const LogFields about{.generation = a.generation.value};
  events().failed(a.generation, failure_.in_full(a.generation, a.why), status);
  if (!status.serving) {
    log_.error(about, "could not start: {}", failure_.line());
    return;
  }
  const std::string why = failure_.in_full(a.generation, a.why);
  announcer_.control().reload_finished(a.generation.value, false, why);
  // At a stop they serve until they have left, each at its time.
  log_.error(about, "failed: {}{}", failure_.line(),
             status.phase == Phase::stopping ? ""
             : status.workers_ready > 0 ? fmt::format("; generation {} still serves", status.serving->value)
                                        : "; " + serving_text(status.serving->value, 0, status.workers_asked));
}

void Daemon::perform(const Retire& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w) return;
  ready_.forget(a.worker);
  const Status& status = pump_.status();
  const WorkerStatus* s = pump_.status_of(a.worker);
  const bool ends = s && s->deadline != no_deadline;
  log_.info(about(*w), "gets no new connections; it is told to leave when it has finished those it has{}",
            ends ? fmt::format(", or after {}", to_rough_text(s->deadline - s->since)) : "");
  w->retired = true;
  advisor_.advise(*w, DrainRule::idle);
  // Of several workers it could not be told whose connections are in there.
  const bool alone = workers_.count(w->generation) == 1;
  const bool restarts = status.phase == Phase::stopping && addresses_.is_followed();
  addresses_.handoff().retire(
      a.worker, alone ? launcher_.cgroups().directory_of(w->generation.value) : std::nullopt, restarts);
}

void Daemon::perform(const Settle& a) {
  for (const WorkerProcess& w : workers_) {
    if (w.generation == a.generation) ready_.forget(w.id);
  }
  addresses_.settle(a.generation);
}

void Daemon::perform(const Drain& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w) return;
  const Handoff& handoff = addresses_.handoff();
  const Status& status = pump_.status();
  const WorkerStatus* s = pump_.status_of(a.worker);
  if (const Retirement* retirement = handoff.retirement(a.worker); retirement && s)
    log_.warning(about(*w), "still has {}, and is told to leave{}", retirement->waits_for(),
                 s->last_call <= s->since || s->last_call == no_deadline
                     ? ""
                     : fmt::format("; what it has not finished after {} is closed",
                                   to_rough_text(s->last_call - s->since)));
  // Not of a candidate that is thrown away: it has nothing in flight.
  if (status.serving && s && !s->thrown_away && !w->retired) {
    advisor_.advise(*w, DrainRule::signal);
    advisor_.warn_if_signal_ends_it(*w);
  }
  addresses_.told_to_leave(*w);
  if (w->rest) {
    reaper_.trees().tell(*w);
  } else {
    signal_process(*w, w->drain_signal);
    signal_process(*w, SIGCONT);  // one that is stopped would not hear it
  }
  ready_.forget(a.worker);
  addresses_.has_been_told(*w);
  if (!s) return;
  const bool limited = s->deadline != no_deadline;
  const std::string limit = limited ? to_rough_text(s->deadline - s->since) : "";
  if (s->thrown_away) {
    log_.info(about(*w), "is thrown away: told to leave, {}",
              limited ? "killed after " + limit + " if it has not" : "and waited for as long as it takes");
  } else {
    log_.info(about(*w), "is draining, {}", limited ? "at most " + limit : "as long as it takes");
  }
}

void Daemon::perform(const DrainRest& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w || !w->rest) return;
  reaper_.trees().tell(*w);
  const std::string who = w->rest->text();
  const WorkerStatus* s = pump_.status_of(a.worker);
  if (who.empty() || !s) return;  // they have ended meanwhile
  log_.info(about(*w), "{} of it finishes, {}", who,
            s->deadline == no_deadline ? "as long as it takes"
                                       : "at most " + to_rough_text(s->deadline - monotonic_now()));
}

void Daemon::perform(const Kill& a) {
  WorkerProcess* w = workers_.find(a.worker);
  if (!w) return;
  events().killed(w->generation, 1, pump_.status());
  log_.warning(about(*w), "is hammered (SIGKILL), with all that it started");
  addresses_.killed(*w);
  if (w->rest) {
    reaper_.trees().look_at(*w);
    w->rest->kill();
  } else {
    kill_all_below(w->pid);
  }
  // All of a generation: then there is nobody who could hide.
  const bool all = std::ranges::all_of(pump_.status().workers, [&](const WorkerStatus& s) {
    return s.generation != w->generation || s.state == WorkerState::killed;
  });
  if (all) launcher_.cgroups().kill(w->generation.value);
}

// Nobody gets what a worker listened on that is not replaced: clients are refused, unless another graced comes.
void Daemon::perform(const Lost& a) {
  const Status& status = pump_.status();
  const bool stopping = status.phase == Phase::stopping || status.phase == Phase::finished;
  const auto follows = a.replaced                             ? Handoff::Follows::replacement
                       : stopping && addresses_.is_followed() ? Handoff::Follows::next_graced
                                                              : Handoff::Follows::none;
  addresses_.handoff().gone(a.worker, follows);
}

void Daemon::perform(const Answer& a) {
  announcer_.control().answer(a.to, a.ok, a.generation.value, failure_.in_full(a.failed, a.why));
}

void Daemon::perform(const Finished& a) {
  examination_.looks.give_up_all();
  words_.tell_of_ignored();
  announcer_.ends({a.exit_status, a.exit_status == 0 ? "" : a.why});
  if (a.exit_status == 0) {
    log_.info("{}", a.why);
  } else if (a.failed == GenerationId{}) {  // a failed start was told already
    log_.error("{}", a.why);
  }
  addresses_.leave();
  events().handled(pump_.status());  // so that what runs for it is waited for
  readers_.runner().finish([this] { loop_.leave(); });
}

void Daemon::limit_draining(const RunOptions& options) {
  if (!options.draining_memory_high) return;
  const Status& status = pump_.status();
  for (const WorkerProcess& w : workers_) {
    if (w.generation == status.serving || w.generation == status.candidate) continue;
    launcher_.cgroups().set_memory_high(w.generation.value, *options.draining_memory_high);
  }
}

}  // namespace graced
