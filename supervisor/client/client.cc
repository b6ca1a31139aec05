// From a target to an instance, from an answer to words and an exit status.
#include "client/client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <system_error>
#include <vector>

#include "client/history_json.h"
#include "client/history_text.h"
#include "client/readiness.h"
#include "client/report_json.h"
#include "client/report_text.h"
#include "core/counted.h"
#include "core/printable.h"
#include "core/story.h"
#include "linux/control/control_client.h"
#include "linux/self/terminal.h"

namespace graced {
namespace {

// An answer to be given to the user at once, instead of what was asked for.
struct Refusal {
  int status;
  std::string why;
};

// It was there when it was asked, and had ended before it could answer.
struct Ended : Refusal {};

std::string listed(const std::vector<Found>& instances) {
  std::string text;
  for (const Found& f : instances) text += (text.empty() ? "" : ", ") + printable(f.name);
  return text;
}

std::string looked_in(const ControlPlaces& places) {
  std::string text;
  for (const std::string& d : instance_directories(places)) text += (text.empty() ? "" : " and ") + d;
  return text;
}

std::string by_control(const std::vector<Found>& instances) {
  std::string text;
  for (const Found& f : instances) text += (text.empty() ? "--control " : " or --control ") + f.control;
  return text;
}

std::vector<Found> running(const ControlPlaces& places) {
  std::vector<Found> live = find_instances(places);
  std::erase_if(live, [](const Found& f) { return !f.live; });
  return live;
}

// An instance to ask, and what it was found by.
struct Chosen {
  std::string name;
  std::string control;
};

// As it says itself, which need not be what the directory is called that its socket lies in; else `otherwise`.
std::string own_name(ControlClient& client, const std::string& otherwise) {
  return client.name().value_or(otherwise);
}

std::optional<std::string> name_at(const std::string& control) {
  try {
    return ControlClient{control, 2s}.name();
  } catch (const std::system_error&) { return std::nullopt; }
}

std::vector<Found> by_own_name(std::vector<Found> instances) {
  for (Found& f : instances) f.name = name_at(f.control).value_or(f.name);
  return instances;
}

std::vector<Found> called(std::vector<Found> instances, const std::string& name) {
  std::erase_if(instances, [&](const Found& f) { return f.name != name; });
  return instances;
}

Chosen choose(const Target& target, const ControlPlaces& places) {
  if (target.control) return {target.name.value_or(*target.control), *target.control};
  // The one that the environment says, if it has that name: so it is, wherever its socket lies.
  if (target.name && !places.control.empty() && name_at(places.control) == target.name)
    return {*target.name, places.control};

  std::vector<Found> live = running(places);
  std::vector<Found> meant = target.name ? called(live, *target.name) : live;
  if (meant.size() == 1) return {meant.front().name, meant.front().control};

  live = by_own_name(std::move(live));
  if (target.name && meant.empty()) meant = called(live, *target.name);
  if (meant.size() == 1) return {meant.front().name, meant.front().control};

  if (!target.name && meant.empty())
    throw Refusal{exit_status::no_instance,
                  fmt::format("no graced is running (looked in {}; --control PATH finds one elsewhere)",
                              looked_in(places))};
  if (!target.name)
    throw Refusal{exit_status::usage, fmt::format("several are running, name one: {}", listed(live))};
  if (meant.size() > 1)
    throw Refusal{exit_status::usage, fmt::format("several are called '{}', say which by {}",
                                                  printable(*target.name), by_control(meant))};
  throw Refusal{
      exit_status::no_instance,
      fmt::format("no graced named '{}' is running{} (one started with --control PATH is found by it)",
                  printable(*target.name), live.empty() ? "" : ", there is " + listed(live))};
}

ControlClient reach(const Chosen& chosen) {
  try {
    return ControlClient{chosen.control};
  } catch (const std::system_error& e) {
    if (e.code().value() == ENOENT || e.code().value() == ECONNREFUSED || e.code().value() == ENOTDIR)
      throw Refusal{exit_status::no_instance,
                    fmt::format("no graced is running at {}", printable(chosen.control))};
    if (e.code().value() == ECONNRESET)
      throw Ended{{exit_status::no_instance, fmt::format("'{}' has just ended", printable(chosen.name))}};
    if (e.code().value() == EBUSY)
      throw Refusal{
          exit_status::gave_up_waiting,
          fmt::format("{} has hung up: too many clients ask, or graced has as many descriptors as it may "
                      "have (its soft limit: LimitNOFILE=, ulimit -n)",
                      printable(chosen.name))};
    if (e.code().value() == ETIMEDOUT)
      throw Refusal{exit_status::gave_up_waiting, fmt::format("{} does not answer", printable(chosen.name))};
    throw Refusal{exit_status::failed, e.what()};
  }
}

// All of them are called through this: whatever stands in the way becomes one line and an exit status.
template <class Body>
int answered(const Terminal& terminal, const Body& body) {
  try {
    return body();
  } catch (const Refusal& refusal) {
    fmt::print(terminal.err, "graced: {}\n", refusal.why);
    return refusal.status;
  } catch (const std::exception& e) {
    fmt::print(terminal.err, "graced: {}\n", printable(e.what()));
    return exit_status::failed;
  }
}

// "exited with status 1" on the line, what else it said indented below.
std::string reason(const std::string& why) {
  const std::size_t end = why.find('\n');
  std::string text = printable(why.substr(0, end)) + "\n";
  if (end != std::string::npos) text += printable_lines(why.substr(end + 1), "  | ");
  return text;
}

std::string who_serves(ControlClient& client) {
  InstanceReport report;
  if (client.report(report).outcome != ControlOutcome::ok) return "";
  if (report.serving == 0) return "nothing serves\n";
  if (report.phase == "down") return serving_text(report.serving, 0, report.workers_asked) + "\n";
  return fmt::format("generation {} still serves\n", report.serving);
}

// ", on probation for 10min"; empty: it is not.
std::string on_probation(ControlClient& client, std::uint64_t generation) {
  InstanceReport report;
  if (client.report(report).outcome != ControlOutcome::ok || report.serving != generation) return "";
  if (!report.probation_left) return "";
  return fmt::format(", on probation for {}", to_rough_text(*report.probation_left));
}

// What all of them say when it did not go well.
int not_done(const char* verb, const std::string& name, const ControlReply& reply, const Terminal& terminal) {
  const std::string who = printable(name);
  switch (reply.outcome) {
    case ControlOutcome::ok:
      return exit_status::done;
    case ControlOutcome::failed:
    case ControlOutcome::denied:
      fmt::print(terminal.err, "graced: {} of '{}' {}: {}", verb, who,
                 reply.outcome == ControlOutcome::denied ? "refused" : "failed", reason(reply.why));
      return exit_status::failed;
    case ControlOutcome::timed_out:
      fmt::print(terminal.err, "graced: gave up waiting for the {} of '{}', which goes on\n", verb, who);
      return exit_status::gave_up_waiting;
    case ControlOutcome::gone:
      fmt::print(terminal.err, "graced: {} of '{}' failed: graced ended before it answered\n", verb, who);
      return exit_status::failed;
  }
  return exit_status::failed;
}

int show(const InstanceReport& report, StatusView view, const Terminal& terminal) {
  const std::string who = printable(report.name);
  switch (view) {
    case StatusView::text:
      fmt::print(terminal.out, "{}", report_text(report, terminal.colour));
      return exit_status::done;
    case StatusView::json:
      fmt::print(terminal.out, "{}", report_json(report));
      return exit_status::done;
    case StatusView::alive:  // it has answered
      fmt::print(terminal.out, "{}: alive, {}\n", who, printable(report.phase));
      return exit_status::done;
    case StatusView::ready: {
      const Readiness readiness = readiness_of(report);
      if (!readiness.ready) {
        fmt::print(terminal.err, "graced: '{}' is not ready: {}\n", who, readiness.why);
        return exit_status::failed;
      }
      fmt::print(terminal.out, "{}: ready, {}\n", who, readiness.why);
      return exit_status::done;
    }
  }
  return exit_status::failed;
}

}  // namespace

Terminal this_terminal() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool wanted =
      (no_color == nullptr || *no_color == '\0') && (term == nullptr || std::strcmp(term, "dumb") != 0);
  return {.places = control_places(), .colour = wanted && is_terminal(STDOUT_FILENO)};
}

int client_reload(const Target& target, std::optional<Duration> limit, bool settled, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(target, terminal.places);
    ControlClient client = reach(chosen);
    const ControlReply reply =
        settled ? client.reload_until_settled(limit.value_or(infinity)) : client.reload(limit);
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

int client_status(const Target& target, StatusView view, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(target, terminal.places);
    InstanceReport report;
    const ControlReply reply = reach(chosen).report(report);
    if (reply.outcome != ControlOutcome::ok) return not_done("status", chosen.name, reply, terminal);
    return show(report, view, terminal);
  });
}

int client_list(bool json, const Terminal& terminal) {
  return answered(terminal, [&] {
    std::vector<InstanceReport> reports;
    for (const Found& found : running(terminal.places)) {
      // One that hangs or ends meanwhile does not hide the others.
      InstanceReport report;
      try {
        const ControlReply reply = ControlClient{found.control, 2s}.report(report);
        if (reply.outcome != ControlOutcome::ok) report.phase = "silent";
      } catch (const std::system_error&) { report.phase = "silent"; }
      if (report.name.empty()) report.name = found.name;
      reports.push_back(std::move(report));
    }
    if (json)
      fmt::print(terminal.out, "{}", list_json(reports));
    else if (reports.empty())
      fmt::print(terminal.err, "graced: no graced is running (looked in {})\n", looked_in(terminal.places));
    else
      fmt::print(terminal.out, "{}", list_text(reports, terminal.colour));
    return exit_status::done;
  });
}

int client_history(const HistoryCommand& command, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(command.target, terminal.places);
    ControlClient client = reach(chosen);
    std::vector<HistoryEntry> entries;
    const ControlReply reply = client.history(command.last.value_or(UINT32_MAX), entries);
    const std::string name = own_name(client, chosen.name);
    if (reply.outcome != ControlOutcome::ok) return not_done("history", name, reply, terminal);
    fmt::print(terminal.out, "{}",
               command.json ? history_json(name, entries) : history_text(entries, terminal.colour));
    return exit_status::done;
  });
}

}  // namespace graced
