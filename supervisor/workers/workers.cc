// A number is believed to mean the same process only as long as that is not reaped.
#include "workers/workers.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "linux/base/own_process.h"
#include "linux/proc/process.h"
#include "linux/proc/send_signal.h"
#include "options/option_values.h"

namespace graced {

WorkerProcess Workers::take_out(const WorkerProcess& worker) {
  const auto at = std::ranges::find(workers_, worker.id, &WorkerProcess::id);
  WorkerProcess taken = std::move(*at);
  workers_.erase(at);
  return taken;
}

WorkerProcess* Workers::find(WorkerId id) {
  const auto w = std::ranges::find(workers_, id, &WorkerProcess::id);
  return w == workers_.end() ? nullptr : &*w;
}

const WorkerProcess* Workers::find(WorkerId id) const {
  return const_cast<Workers*>(this)->find(id);
}

WorkerProcess* Workers::find_pid(pid_t pid) {
  const auto w =
      std::ranges::find_if(workers_, [&](const WorkerProcess& p) { return p.pid == pid && !p.rest; });
  return w == workers_.end() ? nullptr : &*w;
}

unsigned Workers::count(GenerationId generation) const {
  return static_cast<unsigned>(std::ranges::count(workers_, generation, &WorkerProcess::generation));
}

// The pidfd proves that the number still means the process that spoke: it reads -1 once that one was reaped.
WorkerProcess* Workers::speaker(const Notification& said) {
  WorkerProcess* found = nullptr;
  pid_t pid = said.sender;
  while (pid > 1 && !(found = find_pid(pid))) {
    const auto parent = parent_of(pid);
    if (!parent) return nullptr;
    if (*parent == own_pid()) {
      // Its ancestors are gone, so it came to us, as what a worker started does; under PID 1 anything. What
      // it says of itself counts among those of one user, who can do anything to each other as it is.
      const auto mark = mark_of(pid);
      const auto w = std::ranges::find_if(workers_, [&](const WorkerProcess& p) {
        return mark && p.generation.value == mark->generation && p.slot == mark->slot &&
               (said.sender_user == 0 || said.sender_user == user_of(p.rest ? p.rest->tops().front() : p.pid));
      });
      if (w != workers_.end()) found = &*w;
      break;
    }
    pid = *parent;
  }
  if (found && found->pid == said.sender) return found;  // not reaped yet, so still the same
  if (found && said.sender_pidfd && pid_of(said.sender_pidfd.get()) != said.sender) return nullptr;
  return found;
}

std::vector<WorkerProcess::Kept> Workers::kept() const {
  const auto pipe_of = [](const WatchedOutput* output) { return output ? output->pipe.get() : -1; };
  std::vector<WorkerProcess::Kept> all;
  for (const WorkerProcess& w : workers_) {
    all.push_back({w.id, w.generation, w.slot, w.pid, w.pidfd.get(), w.started, w.drain_signal, w.signal_asked,
                   w.retired, w.command, w.served, w.rest, w.rest_told, w.status, w.stopped_by,
                   pipe_of(w.outputs.out), pipe_of(w.outputs.err)});
  }
  return all;
}

void Workers::take_over(std::vector<WorkerProcess::Kept> kept,
                        const std::function<WatchedOutput*(int pipe)>& output) {
  const auto output_of = [&](int pipe) {
    WatchedOutput* found = pipe < 0 ? nullptr : output(pipe);
    if (pipe >= 0 && !found)
      throw std::runtime_error(fmt::format("nobody reads from {}, which a worker writes to", pipe));
    return found;
  };
  for (WorkerProcess::Kept& k : kept) {
    workers_.push_back({.id = k.id,
                        .generation = k.generation,
                        .slot = k.slot,
                        .pid = k.pid,
                        .pidfd = Fd(k.pidfd),
                        .started = k.started,
                        .drain_signal = k.drain_signal,
                        .signal_asked = k.signal_asked,
                        .retired = k.retired,
                        .command = std::move(k.command),
                        .served = std::move(k.served),
                        .rest = std::move(k.rest),
                        .rest_told = k.rest_told,
                        .status = std::move(k.status),
                        .stopped_by = std::move(k.stopped_by),
                        .outputs = {output_of(k.out), output_of(k.err)}});
  }
}

Exit exit_of(const ChildExit& child) {
  switch (child.code) {
    case CLD_EXITED:
      return {fmt::format("exited with status {}", child.status), child.status};
    case CLD_DUMPED:
      return {fmt::format("killed by SIG{} (core dumped)", signal_name(child.status)), 128 + child.status,
              child.status};
    default:
      return {fmt::format("killed by SIG{}", signal_name(child.status)), 128 + child.status, child.status};
  }
}

// As long as it is one of the workers it was not reaped, so its number is still its own.
void signal_process(const WorkerProcess& worker, int signo) {
  send_signal_to_child(worker.pidfd, worker.pid, signo);
}

void signal_group(const WorkerProcess& worker, int signo) {
  if (worker.rest) {
    worker.rest->signal(signo);
  } else {
    signal_group(worker.pid, signo);
  }
}

}  // namespace graced
