#include "daemon/canary_places.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/switched_listen.h"
#include "options/usage_error.h"

namespace graced {

void require_shareable(const RunOptions& options, const HandoffPlan& handoff, bool inherited) {
  if (options.policy.canary.empty() || handoff.adopt || std::ranges::any_of(options.listen, is_switched))
    return;
  throw UsageError(fmt::format(
      "canary: no address is switched, so new connections cannot be shared out: {}; give a tcp address with "
      "--listen, or let graced adopt one",
      inherited                ? "what graced was started with has all generations for it"
      : options.listen.empty() ? "there is no --listen, and nothing is adopted"
                               : addresses_of(options) + " has all generations for it"));
}

std::vector<std::string> not_shared_out(const RunOptions& options, const HandoffPlan& handoff) {
  std::vector<std::string> notes;
  if (options.policy.canary.empty()) return notes;
  for (const ListenSpec& spec : options.listen) {
    if (is_switched(spec)) continue;
    notes.push_back(fmt::format("canary: {} of --listen cannot be shared out: {}", spec.address(),
                                has_own_datagrams(spec, options, handoff)
                                    ? "it goes over when the candidate serves"
                                    : "a candidate that is ready gets what comes there as the serving "
                                      "generation does"));
  }
  return notes;
}

}  // namespace graced
