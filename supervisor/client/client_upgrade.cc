// `graced upgrade`: of one, or of all that run here, one after the other, each with a line of its own.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "client/choice.h"
#include "client/client.h"
#include "client/outcome.h"
#include "core/printable.h"
#include "core/version.h"
#include "linux/control/control_client.h"
#include "linux/self/own_image.h"

namespace graced {
namespace {

std::string version_of(const InstanceReport& report) {
  return report.version.empty() ? "another version" : "graced " + printable(report.version);
}

int upgrade(ControlClient& client, const std::string& name, const UpgradeCommand& command,
            const Terminal& terminal) {
  const UpgradeRequest request{command.binary, command.check_only, own_upgrade_token()};
  ControlReply reply = client.upgrade(request, command.wait.value_or(infinity));
  if (reply.unknown) {
    InstanceReport report;
    client.report(report);
    reply.why =
        fmt::format("it runs {}, which cannot be replaced while it runs: restart it", version_of(report));
  }
  if (reply.outcome != ControlOutcome::ok)
    return not_done(command.check_only ? "trial" : "upgrade", name, reply, terminal);
  const std::string from = printable(reply.version_from);
  const std::string to = printable(reply.version_to);
  if (command.check_only)
    fmt::print(terminal.out, "{}: version {} can take the place of {}\n", printable(name), to, from);
  else
    fmt::print(terminal.out, "{}: version {}, upgraded from {}\n", printable(name), to, from);
  std::fflush(terminal.out);
  return exit_status::done;
}

// It runs the file that this command is of: there is nothing to be said of it.
bool is_up_to_date(const InstanceReport& report) {
  return has_own_image(report.pid).value_or(report.version == own_version());
}

// One that has ended meanwhile is no failure.
int upgrade_found(const Found& found, const UpgradeCommand& command, const Terminal& terminal) {
  return answered(terminal, [&] {
    try {
      ControlClient client = reach({found.name, found.control});
      InstanceReport report;
      const ControlReply known = client.report(report);
      const std::string name = report.name.empty() ? found.name : report.name;
      if (known.outcome != ControlOutcome::ok) return not_done("upgrade", name, known, terminal);
      if (command.whom == UpgradeWhom::all || report.self_upgrade)
        return upgrade(client, name, command, terminal);
      if (!is_up_to_date(report))
        fmt::print(terminal.out, "{} still runs {}\n", printable(name), version_of(report));
      return exit_status::done;
    } catch (const Ended&) { return exit_status::done; }
  });
}

int upgrade_all(const UpgradeCommand& command, const Terminal& terminal) {
  const std::vector<Found> found = running(terminal.places);
  if (found.empty() && command.whom == UpgradeWhom::opted_in) return exit_status::done;
  if (found.empty()) throw nobody_runs(terminal.places);
  bool failed = false;
  bool gave_up = false;
  for (const Found& instance : found) {
    const int status = upgrade_found(instance, command, terminal);
    gave_up = gave_up || status == exit_status::gave_up_waiting;
    failed = failed || (status != exit_status::done && status != exit_status::gave_up_waiting);
  }
  return failed ? exit_status::failed : gave_up ? exit_status::gave_up_waiting : exit_status::done;
}

}  // namespace

int client_upgrade(const UpgradeCommand& command, const Terminal& terminal) {
  return answered(terminal, [&] {
    if (command.whom != UpgradeWhom::target) return upgrade_all(command, terminal);
    const Chosen chosen = choose(command.target, terminal.places);
    ControlClient client = reach(chosen);
    const std::string name = client.name().value_or(chosen.name);
    return upgrade(client, name, command, terminal);
  });
}

}  // namespace graced
