// From a target to an instance, from an answer to words and an exit status.
#include "client/client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "client/choice.h"
#include "client/history_text.h"
#include "client/outcome.h"
#include "client/reload_stages.h"
#include "core/counted.h"
#include "core/printable.h"
#include "json/event_json.h"
#include "linux/control/control_client.h"
#include "linux/self/terminal.h"

namespace graced {
namespace {

// As it says itself, which need not be what the directory is called that its socket lies in; else `otherwise`.
std::string own_name(ControlClient& client, const std::string& otherwise) {
  return client.name().value_or(otherwise);
}

std::string who_serves(ControlClient& client) {
  InstanceReport report;
  return client.report(report).outcome == ControlOutcome::ok ? who_serves_text(report) + "\n" : "";
}

// ", on probation for 10min"; empty: it is not.
std::string on_probation(ControlClient& client, std::uint64_t generation) {
  InstanceReport report;
  if (client.report(report).outcome != ControlOutcome::ok || report.serving != generation) return "";
  if (!report.probation_left) return "";
  return fmt::format(", on probation for {}", to_rough_text(*report.probation_left));
}

}  // namespace

Terminal this_terminal() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::strcmp(term, "dumb") == 0;
  const bool shown = !dumb && is_terminal(STDOUT_FILENO);
  return {.places = control_places(),
          .colour = shown && (no_color == nullptr || *no_color == '\0'),
          .columns = terminal_columns(STDOUT_FILENO),
          .rewrites = shown && term != nullptr && *term != '\0'};
}

int client_reload(const Target& target, std::optional<Duration> limit, bool settled, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(target, terminal.places);
    ControlClient client = reach(chosen);
    const bool shown = limit && terminal.rewrites;
    ReloadStages stages{shown ? own_name(client, chosen.name) : "", terminal};
    if (shown) client.watch([&](const InstanceEvent* event) { stages.happened(event); });
    const ControlReply reply =
        settled ? client.reload_until_settled(limit.value_or(infinity)) : client.reload(limit);
    client.watch({});
    stages.clear();
    const std::string name = own_name(client, chosen.name);
    if (reply.outcome != ControlOutcome::ok) {
      const int status = not_done("reload", name, reply, terminal);
      if (reply.outcome == ControlOutcome::failed) fmt::print(terminal.err, "{}", who_serves(client));
      return status;
    }
    if (limit)
      fmt::print(terminal.out, "{}: generation {} serves{}\n", printable(name), reply.generation,
                 settled ? "" : on_probation(client, reply.generation));
    else
      fmt::print(terminal.out, "{}: reload asked for\n", printable(name));
    return exit_status::done;
  });
}

int client_rollback(const Target& target, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(target, terminal.places);
    ControlClient client = reach(chosen);
    const ControlReply reply = client.rollback();
    const std::string name = own_name(client, chosen.name);
    if (reply.outcome != ControlOutcome::ok) return not_done("rollback", name, reply, terminal);
    fmt::print(terminal.out, "{}: generation {} rolled back, generation {} serves again\n", printable(name),
               reply.from, reply.generation);
    return exit_status::done;
  });
}

// Nothing to abort is no success: the reload that was meant may just have ended, and its generation serve.
int client_abort(const Target& target, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(target, terminal.places);
    ControlClient client = reach(chosen);
    const ControlReply reply = client.abort();
    const std::string name = own_name(client, chosen.name);
    if (reply.outcome != ControlOutcome::ok) return not_done("abort", name, reply, terminal);
    InstanceReport now;
    client.report(now);
    const std::string who = printable(name);
    if (reply.generation != 0) {
      fmt::print(terminal.out, "{}: generation {} aborted, generation {} serves{}\n", who, reply.generation,
                 now.serving, reply.next ? "; the reload that was asked for meanwhile is next" : "");
      return exit_status::done;
    }
    if (now.serving == 0)
      fmt::print(terminal.err, "graced: nothing to abort in '{}': no reload runs, and nothing serves ({})\n",
                 who, "graced stop ends a start");
    else
      fmt::print(terminal.err, "graced: nothing to abort in '{}': no reload runs{}, generation {} serves\n",
                 who, reply.next ? " yet, though one is about to begin" : "", now.serving);
    return exit_status::failed;
  });
}

int client_stop(const Target& target, std::optional<Duration> limit, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(target, terminal.places);
    ControlReply reply;
    std::string name = chosen.name;
    try {
      ControlClient client = reach(chosen);
      name = own_name(client, name);
      reply = client.stop(limit);
    } catch (const Ended&) {}  // by itself: that is what was wanted
    if (reply.outcome != ControlOutcome::ok) return not_done("stop", name, reply, terminal);
    fmt::print(terminal.out, "{}: {}\n", printable(name), limit ? "stopped" : "stop asked for");
    return exit_status::done;
  });
}

int client_hammer(const Target& target, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(target, terminal.places);
    ControlClient client = reach(chosen);
    const ControlReply reply = client.hammer();
    const std::string name = own_name(client, chosen.name);
    if (reply.outcome != ControlOutcome::ok) return not_done("hammer", name, reply, terminal);
    if (reply.killed == 0)
      fmt::print(terminal.out, "{}: nothing was draining\n", printable(name));
    else
      fmt::print(terminal.out, "{}: hammered {}\n", printable(name),
                 counted(reply.killed, "worker", "workers"));
    return exit_status::done;
  });
}

int client_history(const HistoryCommand& command, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(command.target, terminal.places);
    ControlClient client = reach(chosen);
    std::vector<InstanceEvent> entries;
    const ControlReply reply = client.history(command.last.value_or(UINT32_MAX), entries);
    const std::string name = own_name(client, chosen.name);
    if (reply.outcome != ControlOutcome::ok) return not_done("history", name, reply, terminal);
    fmt::print(terminal.out, "{}",
               command.json ? history_json(name, entries) : history_text(entries, terminal.colour));
    return exit_status::done;
  });
}

}  // namespace graced
