// Daemon: a candidate that gets a share of the new connections first.
#include <fmt/format.h>

#include "daemon/daemon.h"

namespace graced {

void Daemon::perform(const Share& a) {
  Handoff& handoff = addresses_.handoff();
  const LogFields about{.generation = a.generation.value};
  const auto& canary = pump_.status().canary;
  try {
    const bool any = handoff.share(a.generation, a.per_mille);
    if (a.per_mille == 0 || !canary) return;
    events().shared(a.generation, a.per_mille, pump_.status());
    log_.info(about, "gets {} of new connections for {}, step {} of {}", share_text(a.per_mille),
              to_text(addresses_.plan_of(a.generation).options.policy.canary.at(canary->step - 1).time),
              canary->step, canary->steps);
    if (canary->step == 1) tell_what_is_not_shared(a.generation, any);
  } catch (const std::exception& e) {
    if (a.per_mille != 0) return pump_.post(ShareFailed{a.generation, e.what()});
    log_.error(about, "goes on getting new connections: {}", e.what());
  }
}

// Of what --listen has it was told before the start.
void Daemon::tell_what_is_not_shared(GenerationId candidate, bool any_is) {
  const LogFields about{.generation = candidate.value};
  for (const Handoff::Address& address : addresses_.handoff().adopted_addresses(candidate)) {
    if (address.address.starts_with("tcp")) continue;
    log_.info(about, "{} cannot be shared out: {}", address.address,
              address.how == Handoff::How::switched ? "it goes over when this generation serves"
                                                    : "whoever has it gets what comes there");
  }
  if (!any_is) log_.warning(about, "no address of it can be shared out: it gets nobody until it serves");
}

void Daemon::perform(const Gate& a) {
  const Status& status = pump_.status();
  if (!status.canary || !status.serving) return;
  try {
    readers_.begin_gate(a.generation, addresses_.plan_of(a.generation), *status.canary, *status.serving);
  } catch (const std::exception& e) { pump_.post(GateFailed{a.generation, a.step, e.what()}); }
}

void Daemon::gate_ended(GenerationId candidate, unsigned step, const std::optional<std::string>& why_not) {
  const OutputWatch::Later later(outputs_.own());
  log_.info({.generation = candidate.value}, "gate: {}", why_not ? *why_not : "passed");
  if (why_not) return happens(GateFailed{candidate, step, *why_not});
  happens(GatePassed{candidate, step});
}

}  // namespace graced
