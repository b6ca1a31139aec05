#include "daemon/preflight.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "linux/event/loop.h"
#include "linux/proc/send_signal.h"
#include "workers/workers.h"

namespace graced {

Preflight::Began Preflight::begin(const Plan& plan, GenerationId generation) {
  OutputPipes pipes = ProcessOutputs::make_pipes(plan, true);
  auto result = spawn(launcher_.for_check(plan, generation, pipes));
  if (const auto* failed = std::get_if<SpawnFailed>(&result)) return {0, failed->why};
  const pid_t pid = std::get<Spawned>(result).pid;
  running_ = Running{generation, pid, fmt::format("{}", fmt::join(plan.check, " ")), monotonic_now(),
                     outputs_.watch(std::move(pipes), plan, {.generation = generation.value, .pid = pid})};
  return {pid, ""};
}

Preflight::Ended Preflight::ended(const ChildExit& child) {
  Running check = *std::exchange(running_, std::nullopt);
  kill_group(check.pid);
  check.outputs.drain();
  reap(child.pid);
  Ended ended{check.generation, exit_of(child), check.outputs.last_words()};
  check.outputs.release();
  return ended;
}

void Preflight::give_up(GenerationId generation) {
  if (!running_ || running_->generation != generation) return;
  kill_all_below(running_->pid);
  running_->outputs.release();
  running_.reset();
}

std::optional<CheckReport> Preflight::report(Instant now) const {
  if (!running_) return std::nullopt;
  return CheckReport{running_->command, now - running_->began};
}

}  // namespace graced
