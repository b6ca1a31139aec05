#include "daemon/kept_plans.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "daemon/option_files.h"
#include "linux/proc/served_socket.h"

namespace graced {

unsigned ArtefactNumbers::of(const std::shared_ptr<const Artefact>& artefact) {
  const auto found = std::ranges::find(artefacts_, artefact);
  const auto number = static_cast<unsigned>(found - artefacts_.begin());
  if (found == artefacts_.end()) artefacts_.push_back(artefact);
  return number;
}

std::vector<Artefact::Kept> ArtefactNumbers::kept() const {
  std::vector<Artefact::Kept> all;
  for (const auto& a : artefacts_) all.push_back(a->kept());
  return all;
}

TakenArtefacts::TakenArtefacts(std::vector<Artefact::Kept> kept) {
  for (Artefact::Kept& k : kept) artefacts_.push_back(std::make_shared<const Artefact>(std::move(k)));
}

const std::shared_ptr<const Artefact>& TakenArtefacts::at(std::size_t number) const {
  if (number >= artefacts_.size())
    throw std::runtime_error("the state names an artefact that it does not have");
  return artefacts_[number];
}

bool TakenArtefacts::any_unused() const {
  return std::ranges::any_of(artefacts_, [](const auto& a) { return a.use_count() == 1; });
}

KeptPlan kept_plan(const Plan& plan, ListenerNumbers& listeners, ArtefactNumbers& artefacts) {
  KeptPlan kept{.files = plan.files,
                .policy = plan.options.policy,
                .handoff = plan.handoff,
                .name_is_taken = plan.name_is_taken,
                .command = plan.command,
                .check = plan.check,
                .environment = plan.environment,
                .identity = plan.identity,
                .artefact = artefacts.of(plan.artefact)};
  for (const PassedSocket& s : plan.sockets)
    kept.sockets.push_back({listeners.of(s.listener), s.name, s.spec, s.switched});
  for (const ChangedSocket& s : plan.changed) kept.changed.push_back({listeners.of(s.listener), s.options});
  return kept;
}

Plan taken_plan(KeptPlan kept, const Invocation& invocation, const TakenListeners& listeners,
                const TakenArtefacts& artefacts) {
  Plan plan;
  plan.options = recorded_options(invocation.words, invocation.environment, kept.files);
  plan.files = std::move(kept.files);
  plan.options.policy = std::move(kept.policy);
  if (plan.options.policy.probes.size() != plan.options.probes.size())
    throw std::runtime_error("the state has other probes than its options");
  plan.handoff = std::move(kept.handoff);
  for (KeptPlan::Socket& s : kept.sockets) {
    if (s.spec && *s.spec >= plan.options.listen.size())
      throw std::runtime_error("the state has a socket of an address that its options do not name");
    plan.sockets.push_back({listeners.at(s.listener), std::move(s.name), s.spec, s.switched});
    plan.served.push_back(served_socket(plan.sockets.back().listener->fd()));
  }
  for (KeptPlan::Changed& s : kept.changed)
    plan.changed.push_back({listeners.at(s.listener), std::move(s.options)});
  plan.name_is_taken = kept.name_is_taken;
  plan.command = std::move(kept.command);
  plan.check = std::move(kept.check);
  plan.environment = std::move(kept.environment);
  plan.identity = std::move(kept.identity);
  plan.artefact = artefacts.at(kept.artefact);
  return plan;
}

}  // namespace graced
