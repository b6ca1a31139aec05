// All that is ever said between the core, which decides, and the edge, which does.
// Events are what happened; actions are what must be done, in the order given.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/exit.h"
#include "core/id.h"
#include "core/policy.h"

namespace graced {

// One thing a line, so that all of it is on a page.
// clang-format off

// What a reload needs besides a process is there: options read, addresses bound, --check passed.
struct Prepared { GenerationId generation; Policy policy; };
struct PreparationFailed { GenerationId generation; std::string why; int exit_status = 1; };  // of graced, if it is the first

struct WorkerReady { WorkerId worker; };      // it said READY=1, and is believed
struct WorkerListening { WorkerId worker; };  // it is seen waiting for connections on every address
struct WorkerUnfit { WorkerId worker; std::string why; };  // it waits, but not for what it should, and rests
struct WorkerStopping { WorkerId worker; };   // it said STOPPING=1
struct WorkerAsksTime { WorkerId worker; Duration from_now; };  // EXTEND_TIMEOUT_USEC=
struct WorkerIdle { WorkerId worker; };  // a retired one: its connections are done, or cannot be told
struct WorkerGone { WorkerId worker; Exit exit; bool leaves_others = false; };  // true: what it started lives, TreeGone follows
struct TreeGone { WorkerId worker; };  // and all that it started

struct ProbePassed { GenerationId generation; unsigned probe; };  // what Probe asked for
struct ProbeFailed { GenerationId generation; unsigned probe; std::string saw; };  // "503 Service Unavailable"
struct ShareFailed { GenerationId generation; std::string why; };  // what Share asked for cannot be had
struct GatePassed { GenerationId generation; unsigned step; };  // what Gate asked for
struct GateFailed { GenerationId generation; unsigned step; std::string why; };
// What a graced that was killed has left to this one; all of it is one thing, which serves until a generation does.
struct SurvivorsFound {};  // said before the first start, if there are any
struct SurvivorsGone {};   // and all that they started
// What listened already when graced was started, and is to be taken over; all of it is one thing, which serves until a
// generation does. ended_elsewhere: who manages it ends it, and kills it if need be; graced never does.
struct TakenFound { bool ended_elsewhere = false; };  // said before the first generation is prepared
struct TakenIdle {};  // retired: its connections are done, or cannot be told
struct TakenGone {};  // it has ended, with all that it started

struct Settled { GenerationId generation; };  // its workers have heard from all who had connected

struct ReloadAsked { RequestId by; bool settled = false; };  // the first start, SIGHUP (nobody), `graced reload`; settled: answer when it is proven
struct AbortAsked { std::string by; };  // the reload that runs is to end as if it had failed; by: "root (PID 812)"
struct RollbackAsked { std::string by; };  // a canary is to end, or else the one that stands by, or was told nothing yet, is to serve again; by: as above
struct StopAsked { RequestId by; };    // the second one does not wait
struct HammerAsked {};                // SIGKILL for all that drains now
struct TimePassed {};

using Event = std::variant<Prepared, PreparationFailed, WorkerReady, WorkerListening, WorkerUnfit, WorkerStopping,
                           WorkerAsksTime, WorkerIdle, WorkerGone, TreeGone, ProbePassed, ProbeFailed, ShareFailed,
                           GatePassed, GateFailed, SurvivorsFound, SurvivorsGone, TakenFound, TakenIdle,
                           TakenGone, Settled, ReloadAsked, AbortAsked, RollbackAsked, StopAsked, HammerAsked, TimePassed>;

// Gather what `generation` needs; answer with Prepared or PreparationFailed.
// same_as: it is another one of that, which serves: nothing is read or checked again; 0: it is not.
struct Prepare { GenerationId generation; GenerationId same_as{}; };

// Start worker number `slot` (0…N-1) of `generation`; a failure comes back as WorkerGone.
// watch_listening: tell WorkerListening when it is seen waiting for connections. ready: what its READY=1 is
// worth. automatic: it is to be seen waiting as well; else the word alone is believed.
struct Spawn { WorkerId worker; GenerationId generation; unsigned slot; bool watch_listening; ReadyRule ready; };

// Look at the candidate, or at the generation that serves, with this one of its policy's probes; answer with
// ProbePassed or ProbeFailed, unless it is abandoned before, or another one serves.
struct Probe { GenerationId generation; unsigned probe; };

// So many of all new connections go to the candidate from now on, at random, and the others where they went; 0: all
// of those do again. Answer with ShareFailed if that cannot be had.
struct Share { GenerationId generation; unsigned per_mille; };
// The time of its step (1…N) is over: ask whether it goes on; answer with GatePassed or GateFailed, unless it is
// abandoned before.
struct Gate { GenerationId generation; unsigned step; };

// New connections go there from now on. standby: this one gets none meanwhile, and may get them again; 0: none does.
// told_apart: RolledBack or Replaced follows, and tells what it is for.
struct Switch { GenerationId to; GenerationId standby{}; bool told_apart = false; };
// The candidate's workers that are ready get new connections beside those of the serving generation, but for
// `replaced`, which get none any more.
struct Join { GenerationId candidate; std::vector<WorkerId> replaced; };
// After the Switch: `from` has not stood its probation, or somebody wants `to` back, which stood by or was told nothing yet.
struct RolledBack { GenerationId from; GenerationId to; std::string why; bool by_probe = false; };
// A probe of the generation that serves has failed; so another one of the same is to replace it. at: when, if nothing else comes first; no_deadline: never.
struct Ailing { GenerationId generation; std::string why; Instant at; };
struct Replaced { GenerationId from; GenerationId to; std::string why; };  // after the Switch: that was done
struct Proven { GenerationId generation; GenerationId standby; bool alone; };  // its probation is over; alone: since all that stood by have ended

// The candidate failed; forget what was prepared. One that had a share of the connections finishes those. too_late: it was not ready in time, so say what it was waited for.
// replaces: the one that it was to replace, since a probe of that had failed; 0: it was asked for.
struct Abandon { GenerationId generation; std::string why; bool too_late = false; GenerationId replaces{}; };

struct Retire { WorkerId worker; };                            // no new connections for it; tell when it is idle
struct Settle { GenerationId generation; };  // tell when its workers have heard from all who have connected
struct Return { WorkerId worker; };          // neither any more: before the Switch back to its generation
struct Drain { WorkerId worker; };                             // tell it to finish what it has and leave
struct DrainRest { WorkerId worker; };                         // its process is gone: the same for what that left behind
struct Kill { WorkerId worker; };                              // the hammer
struct DrainSurvivors {};                                      // they finish what they have, as a worker would
struct KillSurvivors {};
struct RetireTaken {};    // no new connections for it; tell when it is idle
struct DrainTaken {};     // tell it, or who manages it, that it is to leave
struct KillTaken {};
struct GiveBackTaken {};  // no generation has served: it is to be as it was before
struct Lost { WorkerId worker; bool replaced; };  // it is gone; what it listened on is kept if it is replaced; may be taken back

// generation: that serves; if ok, `why` says that it is on probation, if it is. failed: the candidate that `why` tells of, if it tells of one.
struct Answer { RequestId to; bool ok; GenerationId generation; std::string why; GenerationId failed; };
struct Finished { int exit_status; std::string why; GenerationId failed; };  // the last action there is

// clang-format on

using Action =
    std::variant<Prepare, Spawn, Probe, Share, Gate, Switch, Join, RolledBack, Ailing, Replaced, Proven,
                 Abandon, Retire, Settle, Return, Drain, DrainRest, Kill, DrainSurvivors, KillSurvivors,
                 RetireTaken, DrainTaken, KillTaken, GiveBackTaken, Lost, Answer, Finished>;

}  // namespace graced
