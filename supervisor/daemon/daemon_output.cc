// Which of a process's outputs go through graced, and where to.
#include <unistd.h>

#include "daemon/daemon.h"
#include "linux/base/file_id.h"
#include "linux/self/journal.h"
#include "options/environment.h"

namespace graced {

Daemon::OutputPipes Daemon::make_pipes(const Plan& plan, bool watch_stderr) const {
  const auto owner = plan.identity ? std::optional(plan.identity->uid) : std::nullopt;
  OutputPipes pipes;
  if (plan.options.watch_stdout) pipes.out = make_output_pipe(owner);
  if (watch_stderr) pipes.err = make_output_pipe(owner);
  return pipes;
}

Outputs Daemon::watch(OutputPipes pipes) {
  Outputs outputs;
  if (pipes.out) outputs.out = stdout_watch().watch(std::move(pipes.out->read_end));
  if (pipes.err) outputs.err = stderr_.watch(std::move(pipes.err->read_end));
  return outputs;
}

// What goes to one place, a terminal, the journal or a log, goes there through one hand: whole lines of either,
// in the order in which they came.
OutputWatch& Daemon::stdout_watch() {
  if (same_file(STDOUT_FILENO, STDERR_FILENO)) return stderr_;
  if (!stdout_) {
    const auto journal = find_variable(invocation_.environment, "JOURNAL_STREAM").value_or("");
    stdout_.emplace(loop_, STDOUT_FILENO, is_journal(STDOUT_FILENO, journal));
    if (stderr_.attending()) stdout_->attend();
  }
  return *stdout_;
}

}  // namespace graced
