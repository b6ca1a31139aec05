#include "daemon/standby_places.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/switched_listen.h"
#include "options/usage_error.h"

namespace graced {

void require_standby(const RunOptions& options, const HandoffPlan& handoff, bool inherited) {
  if (options.policy.probation == 0s) return;
  if (inherited || std::ranges::any_of(options.listen, [](const ListenSpec& spec) {
        return spec.kind == AddressKind::inherited;
      })) {
    throw UsageError(
        "probation: what graced was started with is shared by all generations, so the one before would go on "
        "getting new connections there; give a tcp address with --listen");
  }
  const auto shared = std::ranges::find_if_not(options.listen, [&](const ListenSpec& spec) {
    return is_switched(spec) || has_own_datagrams(spec, options, handoff);
  });
  if (shared != options.listen.end()) {
    throw UsageError(fmt::format(
        "probation: {} of --listen is shared by all generations, so the one before would go on getting what "
        "comes there (tcp ones are not, nor are udp ones without --max-surge, nor unix sockets that the "
        "command binds itself)",
        shared->address()));
  }
  if (options.listen.empty() && !handoff.adopt) {
    throw UsageError(
        "probation: no address is switched, so the generation before cannot stand by: there is no --listen, "
        "and "
        "nothing is adopted");
  }
}

}  // namespace graced
