// Workers of an earlier graced that ended without them, where its unit says KillMode=process, each with all
// that it started, and what is left of those whose own process is gone. They go on serving until a generation
// of this graced does; then they are drained like any other. When, and for how long, is the core's to say.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "linux/event/retry.h"
#include "linux/proc/leftovers.h"
#include "linux/proc/served_socket.h"

namespace graced {

class Survivors {
 public:
  struct Survivor {
    std::uint64_t generation;  // of the earlier graced
    unsigned slot;
    pid_t pid;           // of the worker, or, where that is gone, of somebody whom it has left
    std::string rest{};  // "PID 812 (node)": what finishes where the worker is gone; empty: it is the worker
  };
  using Tell = std::function<void(const Survivor&, const std::string& what)>;
  using Processes = std::function<std::vector<pid_t>()>;

  // processes: among which they are looked for, now and later. gone: after drain() or hammer(), when all of
  // them are.
  Survivors(Loop& loop, Tell tell, Processes processes, std::function<void()> gone);

  // Workers of instance `name`, and what is left of some, that are not ours and were left to whoever started
  // us. False: there are none.
  bool find(const std::string& name);

  // The signal for each worker, and for what it leaves behind once it is gone, as for workers of ours. Once.
  // limit: to be told. sockets: that they may serve, besides those that they are seen to have.
  void drain(int signo, Duration limit, const std::vector<ServedSocket>& sockets);

  // SIGKILL for all of them.
  void hammer();

  // Those that are not known to have ended.
  std::vector<Survivor> left() const;

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    struct Watched {
      pid_t pid = 0;
      int process = -1;
    };
    struct Tree {
      Survivor survivor{};
      Leftovers processes{};
      int worker = -1;
      std::vector<ServedSocket> sockets{};
      bool told = false;
      std::vector<Watched> watched{};
    };
    std::vector<Tree> trees{};
    int signo = 0;
    bool drained = false;
    bool hammered = false;
  };
  Kept kept() const;
  void take_over(Kept kept);  // instead of find()

 private:
  struct Watched {
    pid_t pid;
    Fd process;  // a pidfd
    Source gone;
  };
  struct Tree {
    Survivor survivor;
    Leftovers processes;
    Fd worker{};  // a pidfd; none: its process is gone
    std::vector<ServedSocket> sockets{};
    bool told = false;             // everybody has heard the drain signal who is to hear it now
    std::list<Watched> watched{};  // those whose parent the manager is
  };

  std::vector<pid_t> orphans() const;
  bool look_at(Tree& tree);
  bool look_once(Tree& tree, std::vector<pid_t> free) const;  // of the orphans, those that are no other tree's
  bool watch(Tree& tree);
  void watch(Tree& tree, pid_t pid, Fd process);
  void forget(Tree& tree);
  void ended(Tree& tree, pid_t pid);
  void tell_rest(Tree& tree);
  bool tell_rests();  // whether somebody has not heard it yet

  Loop& loop_;
  Tell tell_;
  Processes processes_;
  std::function<void()> gone_;
  std::list<Tree> trees_;
  int signo_ = 0;
  bool drained_ = false;
  bool hammered_ = false;
  Retry retry_;  // while somebody has not heard the drain signal yet
};

}  // namespace graced
