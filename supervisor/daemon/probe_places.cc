#include "daemon/probe_places.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/switched_listen.h"
#include "linux/self/own_program.h"
#include "options/usage_error.h"

namespace graced {

namespace {

// Of an address that no --listen has. An adopted one is known only when it is bound.
void require_adoption(const ProbeSpec& probe, const RunOptions& options, const HandoffPlan& handoff,
                      bool inherited, const std::string& where) {
  if (handoff.adopt) return;
  if (inherited) {
    throw UsageError(
        fmt::format("probe {}: what graced was started with is shared by all generations, so a candidate "
                    "cannot be reached there alone; give the address with --listen",
                    probe.target));
  }
  throw UsageError(fmt::format("probe {}: nobody listens on {}: --listen has {}, and nothing is adopted",
                               probe.target, where,
                               options.listen.empty() ? "nothing" : addresses_of(options)));
}

}  // namespace

void require_reachable(const ProbeSpec& probe, const RunOptions& options, const HandoffPlan& handoff,
                       bool inherited) {
  if (probe.kind == ProbeSpec::Kind::command) {
    if (handoff.adopt || std::ranges::any_of(options.listen, is_switched)) return;
    throw UsageError(fmt::format(
        "probe {}: no address is switched, so a candidate cannot be reached alone: {} shared by all "
        "generations (tcp ones of --listen are not)",
        probe.target,
        options.listen.empty() ? "what graced was started with is" : addresses_of(options) + " is"));
  }
  probe_program();
  if (!probe.unix_path.empty()) {
    const auto same = std::ranges::find_if(
        options.listen, [&](const ListenSpec& s) { return !is_switched(s) && s.path == probe.unix_path; });
    if (same != options.listen.end()) {
      throw UsageError(
          fmt::format("probe {}: {} of --listen is shared by all generations, so a candidate cannot be "
                      "reached there alone; one that the command binds itself is not",
                      probe.target, same->address()));
    }
    return require_adoption(probe, options, handoff, inherited, probe.unix_path);
  }
  const bool listened_on = std::ranges::any_of(options.listen, [&](const ListenSpec& s) {
    return is_switched(s) && (s.port == probe.port || s.port == 0);
  });
  if (!listened_on) require_adoption(probe, options, handoff, inherited, fmt::format("port {}", probe.port));
}

std::string probe_program() {
  return own_program("graced-probe", GRACED_LIBEXECDIR);
}

}  // namespace graced
