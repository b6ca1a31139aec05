// An old worker that gets no new connections, until it has finished those it has: looked at from outside,
// often at first and ever more rarely.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "linux/connections.h"

namespace graced {

class Retirement {
 public:
  // A connection that is idle for `close_when_idle` is closed from our side; infinity: none is. cgroup and
  // handshakes_move: see ConnectionWatch.
  Retirement(pid_t worker, const std::vector<ConnectionWatch::Socket>& listening,
             const std::optional<std::string>& cgroup, bool handshakes_move, Duration close_when_idle,
             Instant now)
      : watch_(worker, listening, cgroup, handshakes_move),
        close_when_idle_(close_when_idle),
        next_look_(now) {}

  Instant next_look() const { return next_look_; }

  // At `last_call` what is left is closed, busy or not, so that it is over by `end`. As long before that,
  // connections are closed as soon as they pause. Either may change; no_deadline: never.
  void ends(Instant last_call, Instant end);

  // True once nothing is left. Throws std::system_error if that cannot be told.
  bool look(Instant now);

  const Connections& seen() const { return seen_; }
  std::string waits_for() const;  // "2 connections (1 idle), 3 queued"; empty: for nothing

 private:
  bool close_up(Instant now);

  ConnectionWatch watch_;
  Duration close_when_idle_;
  Connections seen_;
  Instant next_look_;
  Instant closing_time_ = no_deadline;  // from then on a short pause is enough
  Instant last_call_ = no_deadline;
  bool done_before_ = false;
};

}  // namespace graced
