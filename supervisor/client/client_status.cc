// `graced status`: of one, or of several.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "client/choice.h"
#include "client/client.h"
#include "client/outcome.h"
#include "client/readiness.h"
#include "client/report_json.h"
#include "client/report_text.h"
#include "core/printable.h"
#include "linux/control/control_round.h"

namespace graced {
namespace {

constexpr Duration longest_wait = 10s;

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

// Says why there is no report; done if there is one.
int told_or_why(const Chosen& chosen, const ControlAnswer& answer, const Terminal& terminal) {
  return answered(terminal, [&] {
    const ControlOutcome outcome = answer.reply.outcome;
    if (outcome == ControlOutcome::timed_out)
      throw Refusal{exit_status::gave_up_waiting, fmt::format("{} does not answer", printable(chosen.name))};
    if (outcome == ControlOutcome::gone && answer.turned_away)
      throw Refusal{exit_status::gave_up_waiting, hung_up_text(chosen.name)};
    if (outcome == ControlOutcome::gone && !answer.reached)
      throw Refusal{exit_status::no_instance, fmt::format("'{}' has just ended", printable(chosen.name))};
    return not_done("status", chosen.name, answer.reply, terminal);
  });
}

int status_of_one(const Target& target, StatusView view, const Terminal& terminal) {
  return answered(terminal, [&] {
    const Chosen chosen = choose(target, terminal.places);
    InstanceReport report;
    const ControlReply reply = reach(chosen).report(report);
    if (reply.outcome != ControlOutcome::ok) return not_done("status", chosen.name, reply, terminal);
    return show(report, view, terminal);
  });
}

}  // namespace

int client_status(const std::vector<Target>& targets, StatusView view, const Terminal& terminal) {
  if (targets.size() == 1) return status_of_one(targets.front(), view, terminal);
  int worst = exit_status::done;
  std::vector<Chosen> chosen;
  std::vector<std::string> paths;
  for (const Target& target : targets) {
    worst = std::max(worst, answered(terminal, [&] {
                       chosen.push_back(choose(target, terminal.places));
                       paths.push_back(chosen.back().control);
                       return exit_status::done;
                     }));
  }
  const std::vector<ControlAnswer> answers = ask_all(paths, longest_wait, Stragglers::wait_for);
  std::vector<InstanceReport> reports;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    worst = std::max(worst, told_or_why(chosen[i], answers[i], terminal));
    if (answers[i].reply.outcome == ControlOutcome::ok) reports.push_back(answers[i].report);
  }
  if (view == StatusView::json) {
    fmt::print(terminal.out, "{}", list_json(reports));
    return worst;
  }
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (view == StatusView::text && i > 0) fmt::print(terminal.out, "\n");
    worst = std::max(worst, show(reports[i], view, terminal));
  }
  return worst;
}

}  // namespace graced
