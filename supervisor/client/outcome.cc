// One line for each of them; last words below it.
#include "client/outcome.h"

#include "client/report_text.h"
#include "core/story.h"

namespace graced {

std::string reason(const std::string& why) {
  const std::size_t end = why.find('\n');
  std::string text = printable(why.substr(0, end)) + "\n";
  if (end != std::string::npos) text += printable_lines(why.substr(end + 1), "  | ");
  return text;
}

std::string who_serves_text(const InstanceReport& report) {
  if (report.serving == 0) return "nothing serves";
  if (report.phase == "down") return serving_text(report.serving, 0, report.workers_asked);
  return fmt::format("generation {} still serves", report.serving);
}

std::string hung_up_text(const std::string& name) {
  return fmt::format(
      "{} has hung up: too many clients ask, or graced has as many descriptors as it may "
      "have (its soft limit: LimitNOFILE=, ulimit -n)",
      printable(name));
}

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

}  // namespace graced
