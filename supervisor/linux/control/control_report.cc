// Last words are lines of their own, behind the first one of a reason.
#include "linux/control/control_report.h"

namespace graced {

std::string without_last_words(const std::string& why) {
  return why.substr(0, why.find('\n'));
}

void withhold_secrets(InstanceReport& report) {
  report.command.clear();
  if (report.check) report.check->command.clear();
  for (WorkerReport& w : report.workers) w.last_lines.clear();
  if (report.last_exit) report.last_exit->last_lines.clear();
  if (report.last_replacement) report.last_replacement->why = without_last_words(report.last_replacement->why);
  if (report.last_reload) report.last_reload->why = without_last_words(report.last_reload->why);
}

}  // namespace graced
