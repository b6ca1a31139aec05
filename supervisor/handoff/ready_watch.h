// Whether a worker is ready: it says READY=1, or it is seen waiting for connections. READY=1 counts once the
// worker has survived sending it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/id.h"
#include "core/policy.h"
#include "core/time.h"
#include "handoff/attendance.h"
#include "handoff/handoff.h"
#include "linux/event/loop.h"

namespace graced {

class ReadyWatch {
 public:
  struct Callbacks {
    std::function<void(WorkerId)> ready;      // it has said READY=1, and is believed
    std::function<void(WorkerId)> listening;  // it waits on all its addresses, or needs none
    std::function<void(WorkerId, const std::string& why)> unfit;  // it waits elsewhere, and will not come
    std::function<void(WorkerId, const std::string&)> note;       // for the log

    // Whether the serving generation is seen waiting on all its addresses: then so must whoever follows.
    std::function<bool()> serving_waits;
  };

  // Borrows both. What a worker adopts it asks the handoff.
  ReadyWatch(Loop& loop, Handoff& handoff, Callbacks callbacks);

  // Looks by itself from now on; before, only when it is told something.
  void attend();

  // A worker that was just started, until it is ready, or forgotten. `rule` says what its READY=1 is worth.
  void watch(AttendedWorker worker, ReadyRule rule);

  // It is to be seen listening, on the sockets that it was passed and on what it has adopted.
  struct Expectation {
    bool of_first_generation;  // nobody knows yet what to expect of it
    bool may_let_go;           // of addresses that the serving generation has adopted
  };
  void expect_listening(WorkerId worker, Expectation expectation);

  void said_ready(WorkerId worker, pid_t sender);  // itself, or a process below it
  void look_at(WorkerId worker);                   // something of it has changed

  // Whether it is ready is of no interest any more.
  void forget(WorkerId worker);

  // Of one that is still watched.
  bool has_said_ready(WorkerId worker) const;
  std::string waits_for(WorkerId worker);  // what it was waited for, and the way out

  // Now, or when a worker of its generation became ready.
  bool is_seen_waiting(const AttendedWorker& worker);

  struct Learned {
    bool waits = false;  // it was seen waiting
    Duration took{};     // until it was ready
  };

  // What another image of this process takes over, see linux/upgrade, while nobody is looked at.
  struct Kept {
    std::map<std::uint64_t, Learned> learned{};
    bool noted_hidden = false;
    bool noted_belief = false;
    std::vector<WorkerId> may_say_ready{};  // it is known to live when it does; to be watched again
  };
  bool any() const;  // is looked at
  Kept kept() const;
  ReadyWatch(Loop& loop, Handoff& handoff, Callbacks callbacks, Kept kept);

 private:
  struct Said {
    Instant when;
    pid_t sender;
    std::optional<Duration> run{};            // how long it had run on a processor at the first look
    std::optional<std::uint64_t> switches{};  // and its voluntary switches until then
    bool lives_on = false;
    bool told = false;
    bool any_address = false;    // was known since
    bool serving_waits = false;  // was seen since
  };
  struct Expected {
    Expectation expectation;
    std::optional<Instant> seen{};       // listening, since
    std::optional<Instant> hidden{};     // what it waits for could not be seen, since
    std::optional<Instant> elsewhere{};  // it waits, rests, and an address is missing, since
  };
  struct Watched {
    AttendedWorker worker;
    ReadyRule rule;
    Instant started;
    std::optional<Said> said{};
    std::optional<Expected> expected{};
  };

  static bool is_done_with(const Watched& w);
  static bool only_may_say_ready(const Watched& w);
  void look();
  void look_at(Watched& w, Instant now);
  void look_at_word(Watched& w, Instant now);
  bool lives_on(Watched& w, Instant now);
  bool is_believed(Watched& w, Instant now);
  void look_whether_it_listens(Watched& w, Instant now);
  bool listens(Watched& w, Instant now);
  bool is_attended(Watched& w, Instant now);
  void look_whether_it_is_elsewhere(Watched& w, Instant now);
  bool stays_elsewhere(const Watched& w, Instant now) const;
  Duration must_be_seen_for(const Watched& w) const;
  Duration quiet_for(const Watched& w) const;
  std::string not_its_sockets(const Watched& w, const Attendance::Seen& seen) const;
  void note_hidden(const Watched& w, pid_t hidden);
  Learned& learned_of(std::uint64_t generation);
  void look_soon(Instant when);
  Watched* find(WorkerId worker);
  const Watched* find(WorkerId worker) const;

  Loop& loop_;
  Handoff& handoff_;
  Callbacks callbacks_;
  Attendance attendance_;
  std::list<Watched> watched_;
  Source timer_;
  Instant next_look_ = no_deadline;
  std::map<std::uint64_t, Learned> learned_;  // of the last generations
  bool noted_hidden_ = false;
  bool noted_belief_ = false;
};

}  // namespace graced
