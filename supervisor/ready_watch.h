// Is a worker ready? It says so, or is seen waiting for connections; and it is believed if it does not die of
// it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "core/id.h"
#include "core/time.h"
#include "handoff.h"
#include "linux/loop.h"

namespace graced {

class ReadyWatch {
 public:
  struct Ears {
    std::function<void(WorkerId)> ready;      // it has said READY=1
    std::function<void(WorkerId)> listening;  // it waits on all its addresses, or needs none
  };

  // Borrows both. What a worker adopts it asks the handoff.
  ReadyWatch(Loop& loop, Handoff& handoff, Ears ears);

  // Looks by itself from now on; before, only when it is told something.
  void attend();

  // A worker that was just started, until it is ready, or forgotten.
  void watch(WorkerId worker, pid_t pid);

  // It is to be seen listening: on these sockets that it was passed, which are borrowed until then, and on what
  // it has adopted. `of_first_generation`: nobody knows yet what to expect of it.
  void expect_listening(WorkerId worker, std::vector<int> passed, bool of_first_generation);

  void said_ready(WorkerId worker, pid_t sender);  // itself, or a process below it
  void look_at(WorkerId worker);                   // something of it has changed

  // Whether it is ready is of no interest any more.
  void forget(WorkerId worker);

  // Of one that is still watched.
  bool has_said_ready(WorkerId worker) const;
  bool waits_for_listening(WorkerId worker) const;

 private:
  struct Said {
    Instant when;
    pid_t sender;
    std::optional<Duration> run{};          // how long it had run on a processor at the first look
    std::optional<std::uint64_t> rested{};  // and how often it had rested
  };
  struct Expected {
    std::vector<int> passed;
    bool of_first_generation;
    std::optional<Instant> seen{};  // listening, since
  };
  struct Watched {
    WorkerId worker;
    pid_t pid;
    Instant started;
    std::optional<Said> said{};
    std::optional<Expected> expected{};
  };

  void look();
  void look_at(Watched& w, Instant now);
  void look_whether_it_lives(Watched& w, Instant now);
  void look_whether_it_listens(Watched& w, Instant now);
  bool listens(const Watched& w, Instant now);
  Duration must_be_seen_for(const Watched& w) const;
  void look_soon(Instant when);
  Watched* find(WorkerId worker);
  const Watched* find(WorkerId worker) const;

  Loop& loop_;
  Handoff& handoff_;
  Ears ears_;
  std::list<Watched> watched_;
  Source timer_;
  Instant next_look_ = no_deadline;
};

}  // namespace graced
