// Which outputs of the processes below graced go through it, and where to; graced's own log goes the same way.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "linux/event/loop.h"
#include "linux/worker/output_pipe.h"
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
  // journal_stream: the value of JOURNAL_STREAM, empty if unset.
  ProcessOutputs(Loop& loop, std::string journal_stream);

  // See OutputWatch.
  void attend();

  static OutputPipes make_pipes(const Plan& plan, bool watch_stderr);
  Outputs watch(OutputPipes pipes);

  const std::string& journal_stream() const { return journal_stream_; }

  // Graced's own stderr.
  OutputWatch& own() { return stderr_; }

 private:
  OutputWatch& stdout_watch();

  Loop& loop_;
  std::string journal_stream_;
  OutputWatch stderr_;
  std::optional<OutputWatch> stdout_;  // where it is watched, and is not what stderr is
};

}  // namespace graced
