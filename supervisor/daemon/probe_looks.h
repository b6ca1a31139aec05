// The looks at a candidate that are under way: each is a process of its own, which may hang or lie, and is
// bounded here. Nothing is open, and nobody is directed, while nobody looks.
#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <optional>
#include <string>

#include "core/id.h"
#include "core/probe_spec.h"
#include "core/time.h"
#include "daemon/launcher.h"
#include "handoff/handoff.h"
#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "linux/proc/child_exits.h"
#include "linux/sockets/reserved_ports.h"
#include "workers/workers.h"

namespace graced {

class ProbeLooks {
 public:
  // saw: what was seen instead of what was to be; none: it has passed.
  using Seen = std::function<void(GenerationId, unsigned probe, const std::optional<std::string>& saw)>;

  // Borrowed.
  struct Others {
    Loop& loop;
    Launcher& launcher;
    Handoff& handoff;
    const Workers& workers;
  };
  ProbeLooks(Others others, Seen seen) : o_(others), seen_(std::move(seen)) {}

  // One look by this probe of the candidate's plan. The result, if any: why there is none.
  std::optional<std::string> begin(GenerationId candidate, unsigned probe, const Plan& plan);

  bool busy() const { return !looks_.empty(); }
  bool is(pid_t pid) const;

  // One of them, which is reaped, and what it saw is told. What it has started is killed.
  void ended(const ChildExit& child);

  // Nobody needs to know any more: they are killed, and reaped like any orphan.
  void give_up(GenerationId candidate);
  void give_up_all();

 private:
  struct Look {
    GenerationId candidate;
    unsigned probe = 0;
    pid_t pid = 0;
    Duration timeout{};
    ReservedPorts ports;  // that it connects from
    Fd output{};
    std::string said{};  // the end of it
    Source readable{};
    Source deadline{};
  };

  std::optional<std::string> start(Look& look, const Plan& plan, const std::string& unix_path);
  Launch launch_of(const Look& look, const Plan& plan, const std::string& unix_path, int says);
  static void hear(Look& look);
  void too_late(pid_t pid);
  void direct(GenerationId candidate);
  void end(std::list<Look>::iterator look);

  Others o_;
  Seen seen_;
  std::list<Look> looks_;
};

}  // namespace graced
