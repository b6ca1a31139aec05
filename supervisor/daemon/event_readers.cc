#include "daemon/event_readers.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>
#include <variant>

#include "core/timestamp.h"
#include "linux/worker/spawn.h"
#include "options/shell_words.h"

namespace graced {

EventReaders::EventReaders(Others others, GateRunner::Told gate_ended)
    : o_(others),
      runner_(o_.loop, {.start = [this](const auto& command, auto variables,
                                        int input) { return start(command, std::move(variables), input); },
                        .note =
                            [this](pid_t pid, const std::string& note, bool failed) {
                              LogFields about;
                              if (pid > 0) about.worker_pid = pid;
                              failed ? o_.log.warning(about, "{}", note) : o_.log.info(about, "{}", note);
                            }}),
      gates_(o_.loop, std::move(gate_ended)),
      events_(o_.planner.first_options().name, [this](const InstanceEvent& event) { happened(event); }) {
  use(o_.planner.first_options());
}

void EventReaders::take_over(Kept kept) {
  history_ = std::move(kept.history);
  passing_.take_over(kept.forgotten);
  events_.take_over(std::move(kept.events));
}

void EventReaders::happened(const InstanceEvent& event) {
  o_.announcer.control().happened(event);
  if (!is_remembered(event.kind)) return passing_.add(event);
  history_.add(event);
  runner_.happened(event);
}

void EventReaders::begin_gate(GenerationId candidate, const Plan& plan, const CanaryStatus& step,
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
  const HookRunner::Process gate = start_gate(candidate, plan, std::move(variables));
  const pid_t pid = gate.pid;
  gates_.began(candidate, step.step, gate);
  o_.log.info({.generation = candidate.value, .worker_pid = pid}, "gate started: {}",
              join_shell_words(plan.options.gate));
}

// As the workers of the generation that serves; before there is one, as those that were to be the first.
HookRunner::Process EventReaders::start(const std::vector<std::string>& command,
                                        std::vector<std::string> variables, int standard_input) {
  const Plan* serving = o_.addresses.serving_plan();
  const Plan first = serving ? Plan() : o_.planner.plan_without_sockets();
  const Plan& plan = serving ? *serving : first;
  OutputPipes pipes = ProcessOutputs::make_both_pipes(plan);
  const Launch launch = o_.launcher.for_hook(plan, command, std::move(variables), standard_input, pipes);
  return start(launch, std::move(pipes), plan, {});
}

HookRunner::Process EventReaders::start_gate(GenerationId candidate, const Plan& plan,
                                             std::vector<std::string> variables) {
  OutputPipes pipes = ProcessOutputs::make_both_pipes(plan);
  const Launch launch = o_.launcher.for_hook(plan, plan.options.gate, std::move(variables), -1, pipes);
  return start(launch, std::move(pipes), plan, {.generation = candidate.value});
}

HookRunner::Process EventReaders::start(const Launch& launch, OutputPipes pipes, const Plan& plan,
                                        Speaker speaker) {
  auto result = spawn(launch);
  if (const auto* failed = std::get_if<SpawnFailed>(&result)) throw std::runtime_error(failed->why);
  speaker.pid = std::get<Spawned>(result).pid;
  return {speaker.pid, o_.outputs.watch_in_log(std::move(pipes), plan, speaker)};
}

}  // namespace graced
