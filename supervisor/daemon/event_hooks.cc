#include "daemon/event_hooks.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>
#include <variant>

#include "linux/worker/spawn.h"

namespace graced {

namespace {

bool somebody_serves(Phase phase) {
  return phase == Phase::serving || phase == Phase::degraded || phase == Phase::reloading;
}

std::optional<std::uint64_t> number_of(std::optional<GenerationId> generation) {
  return generation ? std::optional(generation->value) : std::nullopt;
}

}  // namespace

EventHooks::EventHooks(Others others)
    : o_(others),
      runner_(o_.loop, {.start = [this](const auto& command, auto variables,
                                        int input) { return start(command, std::move(variables), input); },
                        .note =
                            [this](pid_t pid, const std::string& note, bool failed) {
                              LogFields about;
                              if (pid > 0) about.worker_pid = pid;
                              failed ? o_.log.warning(about, "{}", note) : o_.log.info(about, "{}", note);
                            }}) {
  use(o_.planner.first_options());
}

void EventHooks::reloaded(GenerationId generation) {
  serving_ = generation;
  happened({.kind = InstanceEvent::Kind::reloaded, .generation = generation.value});
}

void EventHooks::reload_failed(GenerationId candidate, const std::string& why) {
  happened({.kind = InstanceEvent::Kind::reload_failed, .generation = candidate.value, .reason = why});
}

void EventHooks::rolled_back(GenerationId from, const std::string& why) {
  happened({.kind = InstanceEvent::Kind::rolled_back, .generation = from.value, .reason = why});
}

void EventHooks::promoted(GenerationId generation) {
  happened({.kind = InstanceEvent::Kind::promoted, .generation = generation.value});
}

void EventHooks::gave_up(GenerationId failed, const std::string& why) {
  InstanceEvent event{.kind = InstanceEvent::Kind::gave_up, .reason = why};
  if (failed != GenerationId{}) event.generation = failed.value;
  happened(std::move(event));
}

void EventHooks::look_at(const Status& status, const FindDeparted& departed) {
  serving_ = status.serving;
  if (const auto& last = status.last_exit; last && last->gone && exited_ != last->worker) {
    exited_ = last->worker;
    const Departed* worker = departed(last->worker);
    happened({.kind = InstanceEvent::Kind::crashed,
              .generation = last->generation.value,
              .worker = last->slot,
              .worker_pid = worker ? std::optional<int>(worker->pid) : std::nullopt,
              .reason = reason_of(last->exit, worker)});
  }
  const Phase before = std::exchange(phase_, status.phase);
  if (somebody_serves(status.phase) && (before == Phase::starting || before == Phase::down)) {
    happened({.kind = InstanceEvent::Kind::serving, .generation = number_of(status.serving)});
  }
  if (status.phase == Phase::stopping && before != Phase::stopping && status.exit_status == 0) {
    happened({.kind = InstanceEvent::Kind::stopping,
              .generation = number_of(status.serving),
              .reason = status.stops_because});
  }
}

void EventHooks::happened(InstanceEvent event) {
  event.name = o_.planner.first_options().name;
  event.at = std::chrono::system_clock::now();
  event.serving = number_of(serving_);
  runner_.happened(event);
}

// As the workers of the generation that serves; before there is one, as those that were to be the first.
HookRunner::Process EventHooks::start(const std::vector<std::string>& command,
                                      std::vector<std::string> variables, int standard_input) {
  const Plan* serving = o_.addresses.serving_plan();
  const Plan first = serving ? Plan() : o_.planner.plan_without_sockets();
  const Plan& plan = serving ? *serving : first;
  OutputPipes pipes = ProcessOutputs::make_pipes(plan, true);
  auto result = spawn(o_.launcher.for_hook(plan, command, std::move(variables), standard_input, pipes));
  if (const auto* failed = std::get_if<SpawnFailed>(&result)) throw std::runtime_error(failed->why);
  return {std::get<Spawned>(result).pid, o_.outputs.watch(std::move(pipes))};
}

}  // namespace graced
