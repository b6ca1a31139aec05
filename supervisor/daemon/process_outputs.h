// Which outputs of the processes below graced go through it, and where to; graced's own log goes the same way.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/kept_output.h"
#include "core/speaker.h"
#include "daemon/log.h"
#include "linux/event/loop.h"
#include "linux/worker/output_pipe.h"
#include "workers/output_log.h"
#include "workers/output_watch.h"
#include "workers/outputs.h"

namespace graced {

struct Plan;

struct OutputPipes {  // none: inherited
  std::optional<OutputPipe> out;
  std::optional<OutputPipe> err;
};

class ProcessOutputs {
 public:
  // options: those that graced was started with. journal_stream: the value of JOURNAL_STREAM, empty if unset.
  // Throws as effective_log_format().
  ProcessOutputs(Loop& loop, const RunOptions& options, std::string journal_stream);

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    LogFormat format = LogFormat::text;
    KeptOutput log{};
    OutputWatch::Kept err{};
    std::optional<OutputWatch::Kept> out{};
  };
  Kept kept() const;
  ProcessOutputs(Loop& loop, const RunOptions& options, std::string journal_stream, Kept kept);

  // By the number of its pipe; null: there is none.
  WatchedOutput* find(int pipe);

  // See OutputWatch.
  void attend();
  void when_dropped(const std::function<void(const OutputWatch::Dropped&)>& tell);

  static OutputPipes make_pipes(const Plan& plan, bool watch_stderr);
  Outputs watch(OutputPipes pipes, const Plan& plan, const Speaker& speaker);

  // For a process of which all that it says goes to where graced's own log goes. As it has a pipe for each,
  // what it said at stderr can be told from the rest; lines of one are in order.
  static OutputPipes make_both_pipes(const Plan& plan);
  Outputs watch_in_log(OutputPipes pipes, const Plan& plan, const Speaker& speaker);

  LogFormat log_format() const { return format_; }  // what was asked for, or what it comes to

  // Graced's own stderr.
  OutputWatch& own() { return stderr_; }

  OutputLog& log() { return log_; }
  // From this line on. If there is none, whoever waits for more is told when there is, see OutputLog.
  LogPage page(std::uint64_t from);

 private:
  WatchedOutput* watch_one(OutputPipe& pipe, OutputWatch& to, const Plan& plan, Speaker by, bool at_stderr);
  OutputWatch& stdout_watch();
  std::unique_ptr<LineTeller> teller(const OutputWatch& to, OutputChoice choice, const Speaker& speaker);
  bool in_journal() const;

  Loop& loop_;
  std::string name_;
  std::string journal_stream_;
  LogFormat format_;
  OutputLog log_;
  std::function<void(const OutputWatch::Dropped&)> tell_dropped_;
  OutputWatch stderr_;
  std::optional<OutputWatch> stdout_;  // where it is watched, and is not what stderr is
};

}  // namespace graced
