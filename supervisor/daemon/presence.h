// What makes this instance known to others on this machine: its place in the runtime directory, its PID file,
// and who waits to hear that it serves.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/time.h"
#include "linux/control/kept_instance.h"
#include "linux/event/loop.h"
#include "linux/manager/notify_fd.h"
#include "linux/self/pid_file.h"
#include "options/options.h"
#include "workers/output_watch.h"

namespace graced {

class Presence {
 public:
  // `serves` is called once, when the first generation does; it may change what standard error is. Throws
  // std::exception with one line to show, having left nothing behind, if there is no place for this instance.
  Presence(const RunOptions& options, std::function<void()> serves);

  // What another image of this process takes over, see linux/upgrade. Once the first generation serves, as
  // nobody waits to hear of that then.
  struct Kept {
    Instant since{};
    Instance::Kept instance{};
    std::optional<PidFile::Kept> pid_file{};
  };
  Kept kept() const;
  explicit Presence(Kept kept);

  Instance& instance() { return instance_; }
  Instant since() const { return since_; }

  // The same for whoever gave --notify-fd.
  void serves(OutputWatch& own_output);

 private:
  Instant since_ = monotonic_now();
  Instance instance_;
  NotifyFd notify_fd_;
  std::optional<PidFile> pid_file_;
  std::function<void()> serves_;
};

}  // namespace graced
