#include "daemon/process_outputs.h"

#include <unistd.h>

#include <utility>

#include "daemon/plan.h"
#include "linux/base/file_id.h"
#include "linux/self/journal.h"

namespace graced {

namespace {

constexpr std::size_t longest_page = 64 * 1024;  // bytes

std::optional<uid_t> owner_in(const Plan& plan) {
  return plan.identity ? std::optional(plan.identity->uid) : std::nullopt;
}
}  // namespace

ProcessOutputs::ProcessOutputs(Loop& loop, const RunOptions& options, std::string journal_stream)
    : loop_(loop),
      name_(options.name),
      journal_stream_(std::move(journal_stream)),
      format_(effective_log_format(options.log_format, journal_stream_)),
      log_(loop),
      stderr_(loop, STDERR_FILENO, is_journal(STDERR_FILENO, journal_stream_)) {}

ProcessOutputs::ProcessOutputs(Loop& loop, const RunOptions& options, std::string journal_stream, Kept kept)
    : loop_(loop),
      name_(options.name),
      journal_stream_(std::move(journal_stream)),
      format_(kept.format),
      log_(loop),
      stderr_(loop, STDERR_FILENO, std::move(kept.err), log_) {
  log_.kept() = std::move(kept.log);
  if (kept.out) stdout_.emplace(loop, STDOUT_FILENO, std::move(*kept.out), log_);
}

ProcessOutputs::Kept ProcessOutputs::kept() const {
  Kept kept{format_, log_.kept(), stderr_.kept()};
  if (stdout_) kept.out = stdout_->kept();
  return kept;
}

WatchedOutput* ProcessOutputs::find(int pipe) {
  WatchedOutput* found = stderr_.find(pipe);
  return found || !stdout_ ? found : stdout_->find(pipe);
}

void ProcessOutputs::attend() {
  stderr_.attend();
  if (stdout_) stdout_->attend();
}

void ProcessOutputs::when_dropped(const std::function<void(const OutputWatch::Dropped&)>& tell) {
  tell_dropped_ = tell;
  stderr_.when_dropped(tell);
  if (stdout_) stdout_->when_dropped(tell);
}

OutputPipes ProcessOutputs::make_pipes(const Plan& plan, bool watch_stderr) {
  OutputPipes pipes;
  if (plan.options.watch_stdout) pipes.out = make_output_pipe(owner_in(plan));
  if (watch_stderr) pipes.err = make_output_pipe(owner_in(plan));
  return pipes;
}

OutputPipes ProcessOutputs::make_both_pipes(const Plan& plan) {
  return {make_output_pipe(owner_in(plan)), make_output_pipe(owner_in(plan))};
}

Outputs ProcessOutputs::watch(OutputPipes pipes, const Plan& plan, const Speaker& speaker) {
  Outputs outputs;
  if (pipes.out) outputs.out = watch_one(*pipes.out, stdout_watch(), plan, speaker, false);
  if (pipes.err) outputs.err = watch_one(*pipes.err, stderr_, plan, speaker, true);
  return outputs;
}

Outputs ProcessOutputs::watch_in_log(OutputPipes pipes, const Plan& plan, const Speaker& speaker) {
  Outputs outputs;
  if (pipes.out) outputs.out = watch_one(*pipes.out, stderr_, plan, speaker, false);
  if (pipes.err) outputs.err = watch_one(*pipes.err, stderr_, plan, speaker, true);
  return outputs;
}

WatchedOutput* ProcessOutputs::watch_one(OutputPipe& pipe, OutputWatch& to, const Plan& plan, Speaker by,
                                         bool at_stderr) {
  by.at_stderr = at_stderr;
  return to.watch(std::move(pipe.read_end), teller(to, plan.options.output, by));
}

// What graced's own lines are like at stderr, those of workers are as well.
std::unique_ptr<LineTeller> ProcessOutputs::teller(const OutputWatch& to, OutputChoice choice,
                                                   const Speaker& speaker) {
  if (choice == OutputChoice::plain) return nullptr;
  auto kind = choice == OutputChoice::prefix_time ? LineForm::Kind::timed_text : LineForm::Kind::text;
  if (format_ == LogFormat::json) kind = LineForm::Kind::json;
  if (format_ == LogFormat::journal && &to == &stderr_) kind = LineForm::Kind::journal;
  const bool keep = speaker.generation && !in_journal();
  if (keep) log_.kept().begin(*speaker.generation);
  return std::make_unique<LineTeller>(LineForm(kind, name_, speaker), keep ? &log_ : nullptr);
}

bool ProcessOutputs::in_journal() const {
  return format_ == LogFormat::journal || is_journal(STDERR_FILENO, journal_stream_);
}

LogPage ProcessOutputs::page(std::uint64_t from) {
  if (in_journal()) return {.place = LogPlace::journal};
  const KeptOutput& kept = log_.kept();
  if (kept.empty()) return {};
  LogPage page{.place = LogPlace::kept, .next = kept.next(), .lines = kept.since(from, longest_page)};
  if (page.lines.empty()) {
    log_.await();
  } else {
    page.next = page.lines.back().number + 1;
  }
  return page;
}

// What goes to one place, a terminal, the journal or a log, goes there through one hand: whole lines of either,
// in the order in which they came.
OutputWatch& ProcessOutputs::stdout_watch() {
  if (same_file(STDOUT_FILENO, STDERR_FILENO)) return stderr_;
  if (!stdout_) {
    stdout_.emplace(loop_, STDOUT_FILENO, is_journal(STDOUT_FILENO, journal_stream_));
    stdout_->when_dropped(tell_dropped_);
    if (stderr_.attending()) stdout_->attend();
  }
  return *stdout_;
}

}  // namespace graced
