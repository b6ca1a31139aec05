#include "daemon/switched_listen.h"

#include <fmt/format.h>

#include <vector>

namespace graced {

bool is_switched(const ListenSpec& spec) {
  return spec.kind == AddressKind::tcp;
}

bool has_own_datagrams(const ListenSpec& spec, const RunOptions& options, const HandoffPlan& handoff) {
  return spec.kind == AddressKind::udp && handoff.datagrams && !comes_in_batches(options.policy);
}

std::string addresses_of(const RunOptions& options) {
  std::vector<std::string> found;
  for (const ListenSpec& spec : options.listen) found.push_back(spec.address());
  return fmt::format("{}", fmt::join(found, ", "));
}

}  // namespace graced
