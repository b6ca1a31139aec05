// How patient graced is, and with how many workers. Plain values; every default lives here.
#pragma once

#include <vector>

#include "core/batches.h"
#include "core/canary.h"
#include "core/probing.h"
#include "core/time.h"

namespace graced {

enum class RestartRule { always, on_failure, never };

enum class ReadyRule {
  automatic,  // READY=1, or seen listening unless the serving generation said READY=1
  notify,     // READY=1 only
  listen,     // seen listening only
  after,      // alive for ready_after
};

enum class DrainRule {
  signal,  // tell a worker at once to finish what it has and leave
  idle,    // give it no new connections, wait until those it has are done, and only then tell it
};

// Zero for a timeout means: do not wait at all. `infinity` means: for ever.
struct Policy {
  unsigned workers = 1;  // per generation, at least 1
  ReadyRule ready = ReadyRule::automatic;
  Duration ready_after = 0s;        // with ReadyRule::after
  Duration ready_timeout = 30s;     // from exec to readiness; as long again for --check before,
                                    // and for the probes after
  std::vector<ProbeRule> probes{};  // that a candidate has to pass before it serves
  std::vector<CanaryStep>
      canary{};          // that a candidate has to stand then, but for the first one; their shares rise
  bool gated = false;    // and at the end of each a gate decides whether it goes on
  MaxSurge max_surge{};  // a reload starts no more workers at a time
  DrainRule drain = DrainRule::signal;
  Duration drain_timeout = 60s;    // from the switch to SIGKILL
  Duration drain_grace = 5s;       // with DrainRule::idle, of that time: from the drain signal on, which comes
                                   // then though connections are left; a quarter at most…
  Duration last_call = 1s;         // …and at the end, once they are closed; half of the grace at most;
                                   // with drain_idle they are closed so long before the signal,
                                   // a quarter of drain_timeout at most
  Duration drain_idle = infinity;  // with DrainRule::idle: connections that are idle for so long are closed
  // Where new connections go elsewhere from the switch to this generation on: how long at most those that it
  // replaces, if they drain by signal, are waited for to hear the first words of who has just connected. Zero:
  // they go on getting new connections until they are told.
  Duration settle = 0s;
  // How long the generation before stands by once this one serves, to serve again should this one fail. Zero:
  // it leaves at once.
  Duration probation = 0s;
  Duration stop_timeout = 30s;       // until SIGKILL when graced itself stops; else as drain_timeout…
  Duration stop_idle = 5s;           // …but then this is drain_idle, unless that is shorter
  unsigned max_draining = 8;         // generations; the oldest is hammered beyond it, at least 1…
  Duration max_draining_grace = 1s;  // …but not before it has drained for this long: quick reloads
                                     // in a row must not cost the requests of those just replaced
  RestartRule restart = RestartRule::always;
  Duration restart_delay = 100ms;      // before replacing a worker that exited; doubles each time…
  Duration restart_delay_limit = 30s;  // …up to this…
  Duration restart_delay_reset = 10s;  // …and starts over once a worker has served for this long
  unsigned start_limit = 10;           // unexpected exits within start_limit_window that are
  Duration start_limit_window = 5min;  // survived; one more and graced gives up

  friend bool operator==(const Policy&, const Policy&) = default;
};

// Whether its workers are to be started a few at a time, where a generation serves.
inline bool comes_in_batches(const Policy& policy) {
  return policy.max_surge.of(policy.workers) < policy.workers;
}

// SIGHUPs that come during a reload are a burst until it has been quiet for this long: then one
// reload answers them all, so that a burst costs two.
inline constexpr Duration burst_quiet = 20ms;

}  // namespace graced
