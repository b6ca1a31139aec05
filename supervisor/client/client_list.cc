// `graced list`: one that hangs or ends meanwhile does not hide the others, nor keep them waiting.
#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "client/choice.h"
#include "client/client.h"
#include "client/list_text.h"
#include "client/outcome.h"
#include "client/report_json.h"
#include "linux/control/control_round.h"

namespace graced {
namespace {

constexpr Duration patience = 2s;

}  // namespace

int client_list(bool json, const Terminal& terminal) {
  return answered(terminal, [&] {
    const std::vector<Found> found = running(terminal.places);
    std::vector<std::string> paths;
    for (const Found& f : found) paths.push_back(f.control);
    std::vector<ControlAnswer> answers = ask_all(paths, patience, Stragglers::leave);
    std::vector<InstanceReport> reports;
    for (std::size_t i = 0; i < found.size(); ++i) {
      InstanceReport& report = reports.emplace_back(std::move(answers[i].report));
      if (answers[i].reply.outcome != ControlOutcome::ok) report.phase = "silent";
      if (report.name.empty()) report.name = found[i].name;
    }
    if (json)
      fmt::print(terminal.out, "{}", list_json(reports));
    else if (reports.empty())
      fmt::print(terminal.err, "graced: no graced is running (looked in {})\n", looked_in(terminal.places));
    else
      fmt::print(terminal.out, "{}", list_text(reports, terminal.colour, terminal.columns));
    return exit_status::done;
  });
}

}  // namespace graced
