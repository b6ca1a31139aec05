// `graced logs`: what is kept of the workers' lines, and what comes.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <string>
#include <vector>

#include "client/choice.h"
#include "client/client.h"
#include "client/outcome.h"
#include "core/counted.h"
#include "core/printable.h"
#include "core/timestamp.h"
#include "linux/control/control_client.h"
#include "linux/self/become.h"
#include "linux/self/journal.h"

namespace graced {
namespace {

// Nothing in it that a terminal would obey; to anything else its bytes go as they are.
std::string shown(const KeptLine& line, const Terminal& terminal) {
  const bool to_terminal = terminal.columns > 0;
  return fmt::format("{} {}{}{}\n", to_timestamp(line.at), subject(line.by), line.said.continues ? "..." : "",
                     to_terminal ? printable(line.said.text) : line.said.text);
}

void show(const KeptLine& line, const Terminal& terminal) {
  const std::string text = shown(line, terminal);
  std::fwrite(text.data(), 1, text.size(), terminal.out);
}

// Of the lines that come some were gone before they were asked for.
void tell_missing(std::uint64_t asked_for, std::uint64_t first, const Terminal& terminal) {
  if (first <= asked_for) return;
  fmt::print(terminal.err, "graced: {} missing here: they came too fast\n",
             counted(first - asked_for, "line is", "lines are"));
}

int look_into_journal(const LogsCommand& command, ControlClient& client, const std::string& name,
                      const Terminal& terminal) {
  InstanceReport report;
  client.report(report);
  std::vector<std::string> journalctl = journalctl_for(report.pid, name);
  if (command.follow) journalctl.emplace_back("-f");
  if (command.last) journalctl.push_back(fmt::format("-n{}", *command.last));
  const std::string line = fmt::format("{}", fmt::join(journalctl, " "));
  if (!command.follow) {
    fmt::print(terminal.out, "{}: its lines are in the journal: {}\n", printable(name), printable(line));
    return exit_status::done;
  }
  fmt::print(terminal.err, "graced: the lines of '{}' are in the journal: {}\n", printable(name),
             printable(line));
  std::fflush(terminal.err);
  become(journalctl);
}

int follow(ControlClient& client, std::uint64_t next, const std::string& name, const Terminal& terminal) {
  for (;;) {
    std::fflush(terminal.out);
    LogPage page;
    const ControlReply reply = client.logs(next, true, page);
    if (reply.outcome == ControlOutcome::gone) {
      fmt::print(terminal.err, "graced: '{}' has ended\n", printable(name));
      return exit_status::done;
    }
    if (reply.outcome != ControlOutcome::ok) return not_done("logs", name, reply, terminal);
    if (!page.lines.empty()) tell_missing(next, page.lines.front().number, terminal);
    for (const KeptLine& line : page.lines) show(line, terminal);
    next = page.next;
  }
}

}  // namespace

int client_logs(const LogsCommand& command, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(command.target, terminal.places);
    ControlClient client = reach(chosen);
    const std::string name = client.name().value_or(chosen.name);
    std::deque<KeptLine> lines;
    LogPage page;
    do {
      const std::uint64_t from = page.next;
      page = {};
      const ControlReply reply = client.logs(from, false, page);
      if (reply.outcome != ControlOutcome::ok) return not_done("logs", name, reply, terminal);
      for (KeptLine& line : page.lines) lines.push_back(std::move(line));
      while (command.last && lines.size() > *command.last) lines.pop_front();
    } while (!page.lines.empty());

    switch (page.place) {
      case LogPlace::journal:
        return look_into_journal(command, client, name, terminal);
      case LogPlace::nowhere:
        throw Refusal{
            exit_status::failed,
            fmt::format("'{}' keeps no lines of its workers, as it runs with --output plain: with --output "
                        "prefix it does; graced status --json has the last 20 of each worker that lives",
                        printable(name))};
      case LogPlace::kept:
        break;
    }
    for (const KeptLine& line : lines) show(line, terminal);
    return command.follow ? follow(client, page.next, name, terminal) : exit_status::done;
  });
}

}  // namespace graced
