// What a worker has left behind when its own process ended: all that this started, directly or not. Every one
// of them is a child of the reaper of orphans, which is graced, or hangs below one. What a graced left behind
// that ended before its workers is the manager's.
#pragma once

#include <sys/types.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/members.h"
#include "linux/proc/process.h"
#include "linux/proc/served_socket.h"

namespace graced {

// True once look(orphans()) is. Who loses its parent during a look may become an orphan too late for it: as
// long as there are others after it there is another one, at most 20 times, as there are processes that are
// another one all the time.
bool look_while_orphans_come(const std::function<std::vector<pid_t>()>& orphans,
                             const std::function<bool(std::vector<pid_t>)>& look);

class Leftovers {
 public:
  Leftovers() = default;  // of nobody

  // group: that the worker led. mark: what its environment said.
  Leftovers(pid_t group, WorkerMark mark);

  // Who of them lives; false: nobody. `orphans`: the reaper's children that are known for nothing else.
  // `in_cgroup`: what else is in the cgroup that was this worker's alone. To be asked before the worker is
  // reaped, and again when orphans were.
  bool look(const std::vector<pid_t>& orphans, const std::vector<pid_t>& in_cgroup);

  // Those that are the reaper's children.
  const std::vector<pid_t>& tops() const { return tops_; }

  // The signal, and SIGCONT, for whoever has not had it. Whom it would end at once, and who waits for no
  // clients, hears it only when nobody here has clients, or is finishing, any more, now and when this was last
  // asked: a forked server's child leaves when it is done, and a server needs the process that reads its log.
  // `askers` never hear it, as they wait for graced, unless they wait for clients as well. False: somebody has
  // not had it yet.
  bool tell(int signo, const std::vector<ServedSocket>& sockets, const std::vector<ProcessId>& askers);

  void signal(int signo) const;  // all of them, at once

  // SIGKILL. Who is started meanwhile is found by another look.
  void kill();

  // "PID 812 (node)", "PID 812 (node) and 3 more"; empty: nobody lived at the last look.
  std::string text() const;

 private:
  template <class>
  friend struct Members;

  bool is_ours(const ProcessId& child, const std::vector<pid_t>& in_cgroup) const;
  std::vector<ProcessId> all() const;

  pid_t group_ = 0;
  WorkerMark mark_{};
  std::vector<pid_t> tops_;
  std::set<ProcessId> seen_;  // some time ago: one that has lost its parent since may show no other sign
  std::set<ProcessId> told_;
  std::set<ProcessId> spared_;
  bool were_alone_ = false;  // those that wait to hear it
};

}  // namespace graced
