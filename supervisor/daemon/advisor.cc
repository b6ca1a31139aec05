#include "daemon/advisor.h"

#include <fmt/format.h>

#include "daemon/drain_advice.h"
#include "daemon/worker_log.h"
#include "linux/proc/process.h"
#include "linux/proc/signal_care.h"
#include "options/option_values.h"

namespace graced {

void Advisor::warn(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) {
    if (told_.insert(note).second) log_.warning("{}", note);
  }
}

// By the name of the process, for that of a script is not its interpreter's.
void Advisor::advise(const WorkerProcess& worker, DrainRule rule) {
  const auto advice = drain_advice(name_of(worker.pid), rule, signal_name(worker.drain_signal), worker.command);
  if (advice && told_.insert(*advice).second) log_.info(about(worker), "{}", *advice);
}

// Who asked for the signal by name relies on it.
void Advisor::warn_if_signal_ends_it(const WorkerProcess& worker) {
  if (!worker.signal_asked || cares_for(worker.pid, worker.drain_signal) != false) return;
  const std::string warning = fmt::format(
      "SIG{} is neither caught, blocked nor ignored: it ends with what it has in flight; --drain-signal names "
      "the signal "
      "on which it finishes, with --drain idle its connections end first",
      signal_name(worker.drain_signal));
  if (told_.insert(warning).second) log_.warning(about(worker), "{}", warning);
}

}  // namespace graced
