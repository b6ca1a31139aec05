// An old worker that gets no new connections, until it has finished those it has: looked at from outside,
// often at first and ever more rarely.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/connections/kept_connections.h"

namespace graced {

// When the connections of an old worker are closed from our side.
struct Closing {
  Duration drain_idle = infinity;   // one that is idle for so long; infinity: none
  Instant any_pause = no_deadline;  // from then on one that pauses; no_deadline: never
  Instant last_call = no_deadline;  // then all that are left, busy or not; no_deadline: never

  friend bool operator==(const Closing&, const Closing&) = default;
};

class Retirement {
 public:
  // cgroup and handshakes_move: see ConnectionWatch. Closes none to begin with.
  Retirement(pid_t worker, const std::vector<int>& listening, const std::optional<std::string>& cgroup,
             bool handshakes_move, Instant now)
      : watch_(worker, listening, cgroup, handshakes_move), next_look_(now) {}

  // What another image of this process takes over, see linux/upgrade. It looks at once.
  struct Kept {
    ConnectionWatch::Kept watch{};
    Closing closing{};
    Connections seen{};
    bool looked = false;
    bool closed_all = false;
  };
  Kept kept() const { return {watch_.kept(), closing_, seen_, looked_, closed_all_}; }
  Retirement(const Kept& kept, Instant now)
      : watch_(kept.watch),
        closing_(kept.closing),
        seen_(kept.seen),
        looked_(kept.looked),
        next_look_(now),
        closed_all_(kept.closed_all) {}
  int descriptor() const { return watch_.descriptor(); }  // that the other image makes anew

  Instant next_look() const { return next_look_; }

  // From now on so, and not as before.
  void close(const Closing& closing);

  // See ConnectionWatch.
  void follow(const std::vector<pid_t>& tops) {
    watch_.follow(tops);
    done_before_ = false;
  }

  // True once nothing is left. Throws std::system_error if that cannot be told.
  bool look(Instant now);

  const Connections& seen() const { return seen_; }
  bool has_looked() const { return looked_; }
  std::string waits_for() const;  // "2 connections (1 idle), 3 queued"; empty: for nothing

  // Whether all connections were closed in this look, see Closing::last_call.
  bool has_just_closed_all() const { return just_closed_all_; }

 private:
  Instant look_and_close(Instant now);
  Duration close_idle(Instant now);

  ConnectionWatch watch_;
  Closing closing_;
  Connections seen_;
  bool looked_ = false;
  Instant next_look_;
  bool done_before_ = false;
  bool closed_all_ = false;
  bool just_closed_all_ = false;
};

}  // namespace graced
