#include "daemon/takeover_view.h"

#include <fmt/format.h>

#include <set>

#include "core/counted.h"
#include "linux/base/account.h"
#include "options/option_values.h"
#include "options/shell_words.h"

namespace graced {

namespace {

std::string ended_by(const RunOptions& options, const RunningServer& server) {
  if (!options.take_stop.empty()) return join_shell_words(options.take_stop);
  if (server.unit())
    return fmt::format("systemctl{} stop {}, which graced asks of systemd itself",
                       server.unit()->user ? " --user" : "", server.unit()->name);
  return fmt::format("SIG{}", signal_name(options.drain_signal));
}

std::string server_text(const RunningServer& server) {
  std::string text = server.text();
  if (server.unit()) text += fmt::format(" of {}", server.unit()->name);
  text += fmt::format(", user {}", server.user());
  if (server.processes().size() > 1) text += fmt::format(", {} processes", server.processes().size());
  return text;
}

}  // namespace

std::vector<std::string> takeover_obstacles(const RunningServer::Found& found, const HandoffPlan& handoff) {
  std::vector<std::string> lines = found.in_the_way;
  if (found.server && !handoff.adopt)
    lines.push_back(fmt::format("its successors' addresses have to be adopted, which cannot be had here{}{}",
                                handoff.adoption.why.empty() ? "" : ": ", handoff.adoption.why));
  return lines;
}

std::string takeover_text(const RunOptions& options, const RunningServer::Found& found) {
  if (!options.take) return "";
  const std::string target = options.take->text();
  if (!found.server) {
    if (!found.in_the_way.empty() || found.nothing.empty()) return "";
    return fmt::format("Takeover of {}: {}, so nothing is taken over.\n", target, found.nothing);
  }
  const RunningServer& server = *found.server;
  std::string text = fmt::format("Takeover of {}:\n", target);
  text += fmt::format("  it is       {}\n", server_text(server));
  std::set<std::string> addresses;
  for (const RunningSocket& socket : server.sockets()) addresses.insert(socket.address);
  text += fmt::format("  listens on  {}\n", fmt::join(addresses, ", "));
  text += fmt::format("  is ended by {}\n", ended_by(options, server));
  for (const std::string& warning : found.warnings) text += fmt::format("  but {}\n", warning);
  if (!found.end_in_doubt.empty() && options.take_stop.empty())
    text += fmt::format("  but {}\n", found.end_in_doubt);
  return text;
}

}  // namespace graced
