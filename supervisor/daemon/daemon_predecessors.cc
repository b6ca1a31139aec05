// Daemon: what becomes of those who served before.
#include "daemon/daemon.h"

namespace graced {

// As the workers of the generation that serves; before there is one, as those that were to be the first.
void Daemon::perform(const DrainSurvivors&) {
  const Plan* plan = addresses_.serving_plan();
  const auto& survivors = pump_.status().survivors;
  const Instant deadline = survivors ? survivors->deadline : no_deadline;
  before_.survivors.drain(plan ? plan->options.drain_signal : planner_.first_options().drain_signal,
                          time_until(deadline, monotonic_now()),
                          plan ? plan->served : std::vector<ServedSocket>());
}

void Daemon::perform(const KillSurvivors&) {
  events().killed(GenerationId{}, before_.survivors.left().size(), pump_.status());
  before_.survivors.hammer();
}

void Daemon::perform(const RetireTaken&) {
  before_.takeover.retire();
}

void Daemon::perform(const DrainTaken&) {
  before_.takeover.drain();
}

void Daemon::perform(const KillTaken&) {
  events().killed(taken_generation, 1, pump_.status());
  before_.takeover.kill();
}

void Daemon::perform(const GiveBackTaken&) {
  before_.takeover.give_back();
}

}  // namespace graced
