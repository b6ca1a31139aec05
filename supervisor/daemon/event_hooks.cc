#include "daemon/event_hooks.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>
#include <variant>

#include "core/timestamp.h"
#include "linux/worker/spawn.h"
#include "options/shell_words.h"

namespace graced {

namespace {

bool somebody_serves(Phase phase) {
  return phase == Phase::serving || phase == Phase::degraded || phase == Phase::reloading;
}

std::optional<std::uint64_t> number_of(std::optional<GenerationId> generation) {
  return generation ? std::optional(generation->value) : std::nullopt;
}

}  // namespace

EventHooks::EventHooks(Others others, GateRunner::Told gate_ended)
    : o_(others),
      runner_(o_.loop, {.start = [this](const auto& command, auto variables,
                                        int input) { return start(command, std::move(variables), input); },
                        .note =
                            [this](pid_t pid, const std::string& note, bool failed) {
                              LogFields about;
                              if (pid > 0) about.worker_pid = pid;
                              failed ? o_.log.warning(about, "{}", note) : o_.log.info(about, "{}", note);
                            }}),
      gates_(o_.loop, std::move(gate_ended)) {
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

void EventHooks::begin_gate(GenerationId candidate, const Plan& plan, const CanaryStatus& step,
                            GenerationId serving) {
  std::string share = share_text(step.per_mille);
  share.pop_back();  // a number, of percent
  std::vector<std::string> variables{
      "GRACED_EVENT=gate",
      fmt::format("GRACED_EVENT_TIME={}", to_timestamp(std::chrono::system_clock::now())),
      fmt::format("GRACED_GENERATION={}", candidate.value),
      fmt::format("GRACED_SERVING={}", serving.value),
      "GRACED_REASON=",
      fmt::format("GRACED_CANARY_SHARE={}", share),
      fmt::format("GRACED_CANARY_STEP={}", step.step),
      fmt::format("GRACED_CANARY_STEPS={}", step.steps),
  };
  const auto starts = [&](const std::vector<std::string>& command, std::vector<std::string> v) {
    return start(plan, command, std::move(v), -1);
  };
  const pid_t pid = gates_.begin(candidate, step.step, starts, plan.options.gate, std::move(variables));
  o_.log.info({.generation = candidate.value, .worker_pid = pid}, "gate started: {}",
              join_shell_words(plan.options.gate));
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
  return start(serving ? *serving : first, command, std::move(variables), standard_input);
}

HookRunner::Process EventHooks::start(const Plan& plan, const std::vector<std::string>& command,
                                      std::vector<std::string> variables, int standard_input) {
  OutputPipes pipes = ProcessOutputs::make_pipes(plan, true);
  auto result = spawn(o_.launcher.for_hook(plan, command, std::move(variables), standard_input, pipes));
  if (const auto* failed = std::get_if<SpawnFailed>(&result)) throw std::runtime_error(failed->why);
  return {std::get<Spawned>(result).pid, o_.outputs.watch(std::move(pipes))};
}

}  // namespace graced
