// Workers of an earlier graced that ended without them, where its unit says KillMode=process. They go on
// serving until a generation of this one does; then they are drained like any other.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/fd.h"
#include "linux/loop.h"

namespace graced {

class Survivors {
 public:
  struct Survivor {
    std::uint64_t generation;  // of the earlier graced
    unsigned slot;
    pid_t pid;  // leads a process group
  };
  using Tell = std::function<void(const Survivor&, const std::string& what)>;

  Survivors(Loop& loop, Tell tell);

  // Of these processes those that are workers of instance `name`, are not ours and were left to whoever
  // started us.
  void find(const std::string& name, const std::vector<pid_t>& processes);

  // The signal, and SIGKILL for their process groups after `limit`. Once.
  void drain(int signo, Duration limit);

  void hammer();

 private:
  struct Watched {
    Survivor survivor;
    Fd process;  // a pidfd
    Source gone;
  };

  void forget(pid_t pid);

  Loop& loop_;
  Tell tell_;
  std::list<Watched> survivors_;
  Source deadline_;
};

}  // namespace graced
