#include "daemon/reaper.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "daemon/foreground_advice.h"
#include "daemon/worker_log.h"
#include "linux/proc/process.h"
#include "linux/proc/send_signal.h"
#include "options/option_values.h"

namespace graced {

void Reaper::take_over(Kept kept) {
  trees_.take_over(std::move(kept.trees));
  departed_ = std::move(kept.departed);
}

void Reaper::look() {
  hear_of_stops();
  bool any_worker = false;
  bool any_orphan = false;
  while (const auto child = next_ended_child()) {
    callbacks_.read_notifications();
    if (WorkerProcess* worker = o_.workers.find_pid(child->pid)) {
      any_worker = true;
      process_ended(*worker, *child);
    } else if (o_.preflight.is(child->pid)) {
      callbacks_.checked(o_.preflight.ended(*child));
    } else if (o_.looks.is(child->pid)) {
      o_.looks.ended(*child);
    } else if (o_.hooks.is_hook(child->pid)) {
      o_.hooks.ended(exit_of(*child), [&] { reap(child->pid); });
    } else if (o_.gates.is_gate(child->pid)) {
      o_.gates.ended(exit_of(*child), [&] { reap(child->pid); });
    } else if (callbacks_.tried(*child)) {
      reap(child->pid);
    } else {
      reap(child->pid);  // an orphan that came to us
      any_orphan = true;
    }
  }
  if (any_worker) callbacks_.workers_ended();
  if (!any_orphan) return;
  o_.cgroups.tidy_up();
  look_at_trees();
}

// Workers that are stopped and continued, by whomever: a stopped one looks like one that does not get ready.
void Reaper::hear_of_stops() {
  while (const auto child = next_stopped_child()) {
    WorkerProcess* worker = o_.workers.find_pid(child->pid);
    if (!worker) continue;
    if (child->code == CLD_CONTINUED) {
      worker->stopped_by.clear();
      o_.log.info(about(*worker), "goes on");
      continue;
    }
    worker->stopped_by = "SIG" + signal_name(child->status);
    const bool wants_terminal = child->status == SIGTTIN || child->status == SIGTTOU;
    o_.log.warning(about(*worker), "stopped by {}{}", worker->stopped_by,
                   wants_terminal ? " (it wants the terminal, which is graced's)" : "");
  }
}

bool Reaper::is_killed(const WorkerProcess& worker) const {
  const WorkerStatus* s = o_.pump.status_of(worker.id);
  return s && s->state == WorkerState::killed;
}

void Reaper::process_ended(WorkerProcess& worker, const ChildExit& child) {
  const bool killed = is_killed(worker);
  worker.rest.emplace(worker.pid, WorkerMark{worker.generation.value, worker.slot});
  // While it is a zombie, so that its number, and its group's, are nobody else's yet.
  const bool leaves_others = trees_.look_at(worker);
  if (killed || !leaves_others) kill_group(worker.pid);
  if (killed) worker.rest->kill();
  worker.outputs.drain();
  Exit exit = tell_end(worker, child);
  reap(child.pid);

  o_.ready.forget(worker.id);
  worker.stopped_by.clear();
  if (o_.pump.status().candidate == worker.generation)
    o_.failure.note_last_words(worker.generation, worker.outputs.last_words());
  const WorkerId id = worker.id;
  departed_[id] = {worker.pid, monotonic_now() - worker.started, worker.outputs.last_words()};
  if (leaves_others) {
    o_.handoff.left_behind(id, worker.rest->tops());
  } else {
    forget(worker);
  }
  o_.pump.happens(WorkerGone{id, std::move(exit), leaves_others});
  callbacks_.told();
}

// What is known of one that has ended by itself, and where to look further.
std::string Reaper::why_not_ready(const WorkerProcess& worker, bool said_all_is_well) const {
  std::string why;
  if (said_all_is_well) {
    const auto of_it = [](const std::string& who, pid_t pid) {
      return fmt::format("; {} of it goes on: {}", who, foreground_advice(name_of(pid)));
    };
    if (const std::string rest = worker.rest->text(); !rest.empty())
      return of_it(rest, worker.rest->tops().front());
    if (const auto strangers = trees_.strangers_since(worker); !strangers.empty()) {
      const pid_t pid = strangers.front();
      return of_it("perhaps " + text_of_process(pid), pid);
    }
    why = ", and left no process behind (see graced-recipes(7))";
  }
  const Outputs& out = worker.outputs;
  if (!out.out && out.err && out.last_words().empty())
    why += "; nothing was said on stderr: --stdout watch tells what is said on stdout";
  return why;
}

Exit Reaper::tell_end(const WorkerProcess& worker, const ChildExit& child) {
  Exit exit = exit_of(child);
  const WorkerStatus* known = o_.pump.status_of(worker.id);
  const bool was_ready = known && known->state == WorkerState::ready;
  const bool expected = known && known->state != WorkerState::starting && !was_ready;
  const std::string age = to_rough_text(monotonic_now() - worker.started);
  if (expected) {
    o_.log.info(about(worker), "{} after {}", exit.how, age);
    return exit;
  }
  exit.how += fmt::format(" after {}", age);
  if (!was_ready && o_.ready.has_said_ready(worker.id)) {
    exit.how += ", right after READY=1";
    if (!worker.rest->text().empty()) exit.how += why_not_ready(worker, exit.status == 0);
  } else if (!was_ready) {
    exit.how += ", before it was ready";
    exit.how += why_not_ready(worker, exit.status == 0);
  }
  o_.log.warning(about(worker), "{}", exit.how);
  return exit;
}

void Reaper::forget(const WorkerProcess& worker) {
  WorkerProcess gone = o_.workers.take_out(worker);
  callbacks_.forgotten(gone);
  gone.outputs.release();
}

// After orphans were reaped, with whose end others may have become graced's children.
void Reaper::look_at_trees() {
  std::vector<WorkerId> left;
  for (const WorkerProcess& w : o_.workers) {
    if (w.rest) left.push_back(w.id);
  }
  for (const WorkerId id : left) {
    WorkerProcess* w = o_.workers.find(id);
    if (!w) continue;
    if (trees_.look_at(*w)) {
      o_.handoff.left_behind(id, w->rest->tops());
      if (is_killed(*w)) w->rest->kill();
      continue;
    }
    o_.log.info(about(*w), "all that it started has ended");
    w->outputs.drain();
    forget(*w);
    o_.pump.happens(TreeGone{id});
    callbacks_.told();
  }
}

const Departed* Reaper::departed(WorkerId worker) const {
  const auto found = departed_.find(worker);
  return found == departed_.end() ? nullptr : &found->second;
}

void Reaper::forget_departed(const Status& status) {
  const auto& last = status.last_exit;
  std::erase_if(departed_, [&](const auto& d) { return !last || d.first != last->worker; });
}

}  // namespace graced
