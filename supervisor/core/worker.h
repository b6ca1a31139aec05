// One worker as the core sees it.
//
//   state    | READY=1 or listening | process gone (*)   | its deadline passes | told to leave
//   ---------+----------------------+--------------------+---------------------+-------------------------
//   starting | ready; last of the   | candidate: abandon | candidate: abandon  | draining
//            | candidate: promote   | serving: respawn   | serving: draining,  |
//            |                      | after a delay      | and respawn         |
//   ready    | nothing              | as above           | has none            | draining, or first
//            |                      |                    |                     | settling or retiring
//   standby  | nothing              | nothing more       | has none            | as a ready one
//   settling | nothing              | nothing more       | draining            | draining, once it has settled
//   retiring | nothing              | nothing more       | draining            | draining, once it is idle
//            | (a rollback makes both ready again, as it does a standby)
//   draining | nothing              | nothing more       | killed              | nothing
//   killed   | nothing              | nothing more       | has none            | nothing
//
//   (*) If others are left that it started, the worker stays: draining with the time that is left (a starting
//   or ready one: with the drain timeout), retiring, or killed. It ends with the last of them.
#pragma once

#include "core/id.h"
#include "core/policy.h"
#include "core/status.h"
#include "core/time.h"

namespace graced {

struct Worker {
  WorkerId id;
  GenerationId generation;
  unsigned slot = 0;  // 0…N-1: which of its generation's workers it is, and whose place it took
  WorkerState state = WorkerState::starting;
  Instant since{};                 // of the state
  Instant deadline = no_deadline;  // of starting (or of `--ready after`), settling, retiring and draining
  bool said_ready = false;         // READY=1, whenever it came
  bool has_been_ready = false;
  bool process_gone = false;  // only what it started is left
  bool joined = false;        // it has served beside those of the generation before its own
  bool thrown_away = false;   // its generation was abandoned, before it has joined

  // Of a retiring one, whose deadline is the drain signal.
  Duration grace = 0s;             // from there on until it is killed
  Duration last_call = 0s;         // what is left of its connections is closed so long before it is killed; it
                                   // keeps that if it is told to leave with connections
  Duration drain_idle = infinity;  // its connections are closed when they are idle for so long…
  bool closes_first = false;       // …and what is left is closed before the drain signal, not after it

  bool works() const { return state == WorkerState::starting || state == WorkerState::ready; }
  // It was told nothing, and would be as ready as before.
  bool can_return() const {
    const bool untold = state == WorkerState::settling || state == WorkerState::retiring;
    return untold && has_been_ready && !process_gone;
  }
  // To be called of such a one; it stands by then.
  void return_to_standby(Instant now);
  bool stands_by() const { return state == WorkerState::standby; }
  bool leaves() const {
    return state == WorkerState::settling || state == WorkerState::retiring || state == WorkerState::draining;
  }

  // It finishes the connections that it has, and is told to leave then. limit: until it is killed. Within it
  // are the grace, and the time after what is left of its connections is closed.
  void begin_to_retire(const Policy& policy, Duration limit, Instant now);
  // Of one that retires or drains. limit: of a stop, at the end of which everybody is killed. Connections that
  // are idle, as far as that can be told, do not hold it up.
  void hurry(const Policy& policy, Duration limit, Instant now);
  WorkerStatus status() const;

  // See WorkerStatus.
  Instant killed_at() const;
  Instant last_call_at() const;
  Instant any_pause_from() const;
};

}  // namespace graced
