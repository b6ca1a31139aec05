#include "daemon/process_outputs.h"

#include <unistd.h>

#include <utility>

#include "daemon/plan.h"
#include "linux/base/file_id.h"
#include "linux/self/journal.h"

namespace graced {

ProcessOutputs::ProcessOutputs(Loop& loop, std::string journal_stream)
    : loop_(loop),
      journal_stream_(std::move(journal_stream)),
      stderr_(loop, STDERR_FILENO, is_journal(STDERR_FILENO, journal_stream_)) {}

void ProcessOutputs::attend() {
  stderr_.attend();
  if (stdout_) stdout_->attend();
}

OutputPipes ProcessOutputs::make_pipes(const Plan& plan, bool watch_stderr) {
  const auto owner = plan.identity ? std::optional(plan.identity->uid) : std::nullopt;
  OutputPipes pipes;
  if (plan.options.watch_stdout) pipes.out = make_output_pipe(owner);
  if (watch_stderr) pipes.err = make_output_pipe(owner);
  return pipes;
}

Outputs ProcessOutputs::watch(OutputPipes pipes) {
  Outputs outputs;
  if (pipes.out) outputs.out = stdout_watch().watch(std::move(pipes.out->read_end));
  if (pipes.err) outputs.err = stderr_.watch(std::move(pipes.err->read_end));
  return outputs;
}

// What goes to one place, a terminal, the journal or a log, goes there through one hand: whole lines of either,
// in the order in which they came.
OutputWatch& ProcessOutputs::stdout_watch() {
  if (same_file(STDOUT_FILENO, STDERR_FILENO)) return stderr_;
  if (!stdout_) {
    stdout_.emplace(loop_, STDOUT_FILENO, is_journal(STDOUT_FILENO, journal_stream_));
    if (stderr_.attending()) stdout_->attend();
  }
  return *stdout_;
}

}  // namespace graced
