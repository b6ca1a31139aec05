#include "daemon/surge_places.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/switched_listen.h"
#include "options/usage_error.h"

namespace graced {

void require_batches(const RunOptions& options, const HandoffPlan& handoff) {
  if (!comes_in_batches(options.policy) || handoff.drain != DrainRule::idle) return;
  const auto passed = std::ranges::find_if(options.listen, is_switched);
  if (passed == options.listen.end()) return;
  throw UsageError(
      fmt::format("max-surge: all workers of a generation have {} of --listen from one socket, so with an idle "
                  "drain an old one "
                  "would go on getting new connections there while others of its generation serve; give "
                  "--drain signal, or leave "
                  "the address to the command, without --listen",
                  passed->address()));
}

}  // namespace graced
