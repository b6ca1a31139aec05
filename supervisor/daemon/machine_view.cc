// A heading, then a word for each thing, and its price where it has one.
#include "daemon/machine_view.h"

#include <fmt/format.h>

#include <string_view>

#include "core/counted.h"

namespace graced {

namespace {

std::string line(std::string_view thing, std::string_view have, std::string_view price) {
  return fmt::format("  {:<9}  {}{}{}\n", thing, have, price.empty() ? "" : ": ", price);
}

// Each worker has its own, and nobody else reads what waits there.
constexpr std::string_view udp_not_kept =
    "UDP ones are not kept when graced is restarted, but where --listen has them too";

std::string_view to_text(SteeringMethod method) {
  switch (method) {
    case SteeringMethod::ebpf:
      return "eBPF";
    case SteeringMethod::cbpf:
      return "classic BPF";
    case SteeringMethod::none:
      return "none";
  }
  return "";
}

}  // namespace

std::string machine_text(const AdoptionCapability& adoption, const SteeringProbe& steering) {
  return "this machine\n" + line("adoption", adoption.possible ? "possible" : "impossible", adoption.why) +
         line("steering", to_text(steering.method), steering.why);
}

std::string handoff_text(const HandoffPlan& plan, const SteeringProbe& steering,
                         const std::optional<std::string>& advice, const std::vector<ProbeRule>& rules) {
  const bool settles = steering.method == SteeringMethod::ebpf && steering.migrates;
  std::string draining = plan.settles || (plan.sets && settles)
                             ? "by signal, once those who have just connected are heard"
                             : "by signal, at once";
  if (plan.drain == DrainRule::idle) {
    draining = plan.max_draining == 1
                   ? "idle, of one generation at a time"
                   : fmt::format("idle, of {} generations at most at a time", plan.max_draining);
  }
  std::string probes;
  for (const ProbeRule& p : rules) {
    std::string when = ", before a generation serves";
    if (p.while_serving) {
      when += fmt::format(
          " and every {} while it does; if it fails {} in a row {}another one of the same "
          "replaces it",
          graced::to_text(*p.while_serving), counted(p.fails, "time", "times"),
          plan.probation == 0s ? "" : "it is rolled back, or after its probation ");
    }
    probes += line("probe", p.what + when, "");
  }
  const std::string probation =
      plan.probation == 0s
          ? ""
          : line("probation",
                 fmt::format("the generation before stands by for {}", graced::to_text(plan.probation)), "");
  std::string batches;
  if (plan.batch < plan.workers) {
    const unsigned count = (plan.workers + plan.batch - 1) / plan.batch;
    batches =
        line("reload",
             fmt::format("in {} batches: {} of {} workers start{}, and as many old ones leave when they serve; "
                         "never more than {} are about",
                         count, plan.batch, plan.workers, rules.empty() ? "" : ", the first ones are probed",
                         plan.workers + plan.batch),
             "");
  }
  return "with these options\n" +
         line("addresses", plan.adopt ? "those that the command binds are adopted" : "those of --listen only",
              plan.adopt ? udp_not_kept : "") +
         line("drain", draining, "") + probes + batches + probation +
         (advice ? line("advice", *advice, "") : "");
}

}  // namespace graced
