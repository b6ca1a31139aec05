// The reload, as one decision after the other: what happened goes in, what must be done comes out.
//
// A generation is a number that its workers carry. A reload in progress is a Rollout; the first
// start is a rollout with nothing to fall back on. Its course:
//
//   asked ─► Prepare ─► Spawn × N ─► all ready ─► Switch, Drain the old ones, Answer   (promote)
//               └───────────┴── anything else ──► Abandon, Drain the new ones, Answer  (abandon)
//
// Where the policy has probes, a candidate that is ready is looked at first (Probe), and the Switch follows
// when all of them have passed.
//
// Where it has a canary, the candidate then gets a share of the new connections (Share), a larger one at each
// step, and the Switch follows after the last one. From then on it is not thrown away if it fails: the serving
// generation gets all new connections again, and it finishes those that it has.
//
// With DrainRule::idle the old ones are retired first: they get no new connections from the Switch on,
// and their Drain follows when those they have are done, or when no more than the grace is left of the
// drain timeout.
//
// With DrainRule::signal they settle first, for a moment, where new connections go elsewhere: so that nobody
// who has just connected, and has not asked yet, is among those whom the signal makes them close.
//
// With Policy::max_surge the workers come in batches: each serves once it is ready (Join), and as many old ones
// leave; the last one is the Switch. supervisor_surge.cc tells more.
//
// Where the policy has a probation, the old ones stand by first: they get no new connections, and are told
// nothing. If the new generation fails within that time they serve again (roll_back); else they leave then.
//
// Where a probe looks at who serves (supervisor_liveness.cc), what it sees may begin a rollout that nobody has
// asked for, of another generation of the same.
//
// What ran before graced and is taken over (supervisor_taken.cc) serves until the first Switch; it leaves then
// as an old generation does, or is given back untouched if no generation comes to serve.
//
// Until the Switch, or the first Join, the serving generation is not touched in any way, so there is nothing to
// roll back. One rollout at a time; a reload asked meanwhile waits in a queue of one, together with all who ask
// for it. Who aborts a reload means the one that runs: what waits in the queue was asked for later, and is
// next. Nothing here knows a clock, a PID, a signal or a descriptor.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/batches.h"
#include "core/canary.h"
#include "core/liveness.h"
#include "core/members.h"
#include "core/policy.h"
#include "core/probing.h"
#include "core/status.h"
#include "core/vocabulary.h"
#include "core/worker.h"

namespace graced {

class Supervisor {
 public:
  // The policy of the first generation; each later one brings its own with Prepared.
  explicit Supervisor(Policy first);

  // What follows from an event, to be done in this order. `now` never goes back.
  // Nothing follows once Finished was returned.
  std::vector<Action> handle(const Event& event, Instant now);

  // When to say TimePassed; `no_deadline` if there is nothing to wait for.
  Instant next_deadline() const;

  Status status() const;

 private:
  template <class>
  friend struct Members;
  Supervisor() = default;  // to be read into

  struct Respawn {
    unsigned slot;
    Instant at;
    WorkerId of;                       // who is gone, or leaves
    std::vector<WorkerId> kept_for{};  // those gone of that slot: what they listened on is kept for it
  };
  struct Replacing {
    GenerationId generation;  // that has failed
    std::string why;
  };
  struct Rollout {
    GenerationId generation;
    std::vector<RequestId> askers;
    Instant began;
    Instant preparation_deadline;
    std::optional<Policy> policy{};    // once prepared
    std::optional<Probing> probing{};  // once ready, until it has passed; of a canary, of who serves
    std::optional<Canary> canary{};    // then, until it serves
    std::optional<Batches> batches{};  // once prepared; none: all workers at once
    std::vector<Respawn> given_up{};   // old ones that have made room, to be had again should it fail
    std::optional<Replacing> replaces{};
  };
  struct Previous {
    GenerationId generation;
    Policy policy;
    bool in_batches = false;  // it made room for the one that followed, so only a part of it is left
  };
  struct Probation {
    GenerationId standby;  // the last one that was proven
    Policy policy;         // of that
    Instant until;
    std::vector<RequestId> askers{};  // who wait until it is over
  };
  struct QueuedReload {
    std::vector<RequestId> askers;
    Instant first_asked;
    Instant not_before;  // later than now only while a burst of SIGHUPs may go on
  };
  struct Restarts {
    std::vector<Respawn> due{};
    std::vector<Respawn> missing{};          // started when there is room…
    std::size_t most = 0;                    // …that is fewer workers than so many
    std::map<unsigned, Duration> delays{};   // by slot: what the next respawn there waits
    std::deque<Instant> unexpected_exits{};  // within the start limit's window
    std::optional<ExitStatus> last_exit{};   // of one of its workers, by itself
  };
  struct Taken {
    Worker worker;         // taken_worker of taken_generation
    bool ended_elsewhere;  // so it is not killed
    bool late = false;     // and has had its time: it is not waited for any more
  };
  struct Counts {
    std::uint64_t last_generation = 0;
    std::uint64_t last_worker = 0;
    std::uint64_t reloads = 0;
    std::uint64_t failed_reloads = 0;
    std::uint64_t rollbacks = 0;
    std::uint64_t restarts = 0;
  };
  struct Stopping {
    int exit_status;
    std::string why;
    GenerationId failed;  // the first one, which could not start
    std::vector<RequestId> askers{};
  };

  void on(const Prepared&, Instant now);
  void on(const PreparationFailed&, Instant now);
  void on(const WorkerReady&, Instant now);
  void on(const WorkerListening&, Instant now);
  void on(const WorkerUnfit&, Instant now);
  void on(const WorkerStopping&, Instant now);
  void on(const WorkerAsksTime&, Instant now);
  void on(const WorkerIdle&, Instant now);
  void on(const WorkerGone&, Instant now);
  void on(const TreeGone&, Instant now);
  void on(const ProbePassed&, Instant now);
  void on(const ProbeFailed&, Instant now);
  void on(const ShareFailed&, Instant now);
  void on(const GatePassed&, Instant now);
  void on(const GateFailed&, Instant now);
  void on(const SurvivorsFound&, Instant now);
  void on(const SurvivorsGone&, Instant now);
  void on(const TakenFound&, Instant now);
  void on(const TakenIdle&, Instant now);
  void on(const TakenGone&, Instant now);
  void on(const Settled&, Instant now);
  void on(const ReloadAsked&, Instant now);
  void on(const AbortAsked&, Instant now);
  void on(const RollbackAsked&, Instant now);
  void on(const StopAsked&, Instant now);
  void on(const HammerAsked&, Instant now);
  void on(const TimePassed&, Instant now);

  void begin_rollout(std::vector<RequestId> askers, Instant now);
  void prove(Instant now);
  void look(Instant now);
  void probes_wait(Instant now);
  void try_on_some(Instant now);
  void canary_waits(Instant now);
  void go_on(Canary::Next next, Instant now);
  void canary_failed(const std::string& why, Instant now);
  bool is_canary(GenerationId generation) const;
  bool nobody_serves() const;
  void take_back_share(const Rollout& failed);
  void finish_canary(const Rollout& failed, Instant now);
  void advance(Instant now);
  void use_room(Instant now);
  void join(Instant now);
  void joined_leave(const Rollout& failed, Instant now);
  void want_back(Rollout& failed);
  void fill_missing(Instant now);
  void promote(Instant now);
  void serve(GenerationId generation, Policy policy);
  void begin_probation(GenerationId old, const Policy& policy, Instant now);
  void answer_promoted();
  void roll_back(const std::string& why, Instant now, bool by_probe = false);
  std::optional<GenerationId> rollback_to() const;
  void call_back(Instant now);
  void fill_slots(Instant now);
  void watch_serving(bool of_same, Instant now);
  bool can_be_watched() const;
  void look_at_serving(Instant now);
  void failed_while_serving(const ProbeFailed&, Instant now);
  bool may_replace() const;
  static void as_no_new_build(Policy& policy);
  void replace_failed(Instant now);
  void replaced(const Replacing& what, Instant now);
  void not_replaced(const Rollout& failed, const std::string& why, Instant now);
  Instant next_of_liveness() const;
  void prove_itself(Instant now);
  bool anybody_stands_by() const;
  void tell_to_go(Worker& worker, const Policy& policy, Duration settle_time, Instant now);
  void retire_generation(GenerationId generation, const Policy& policy, Instant now);
  void ask_to_settle();
  void abandon(const std::string& why, Instant now, int exit_status = 1, bool too_late = false);
  void record(const Rollout&, bool ok, const std::string& why, Instant now);
  void queue_reload(RequestId by, Instant now);

  void spawn(GenerationId generation, unsigned slot, Instant now);
  void become_ready(Worker& worker, Instant now);
  void retire(Worker& worker, const Policy& policy, Duration limit, Instant now);
  void told_with_connections(Worker& worker, Instant now);
  void make_room(Worker& worker, Instant now);
  void hurry(Worker& worker, Duration limit, Instant now);
  void settle(Worker& worker, Duration limit, Duration grace, Instant now);
  void leave(Worker& worker, Duration limit, Instant now);
  void leave_at_stop(Worker& worker, const Policy& policy, Instant now);
  void leave_behind(Worker& worker, Instant now);
  void kill(Worker& worker, Instant now);
  void ended_after_all(const Worker& worker, const Exit& exit, Instant now);
  void lost(const Worker& gone);
  void lost_unexpectedly(const Worker& worker, const Exit& exit, Instant now);
  void enforce_max_draining(Instant now);
  void begin_stop(int exit_status, std::string why, Instant now, GenerationId failed = {});
  void never_replaced(std::vector<Respawn>& waiting);
  void drain_survivors(Duration limit, Instant now);
  void kill_survivors(Instant now);
  void retire_taken(Instant now);
  void drain_taken(Instant limit, Instant now);
  void taken_is_late(Instant now);
  void end_taken(Instant now);
  void give_back_taken();
  void deadline_passed(WorkerId id, Instant now);
  void follow_up(Instant now);

  Worker* find(WorkerId id);
  const Policy& policy_of(GenerationId generation) const;
  bool on_trial(const Worker& worker) const;
  bool serves(const Worker& worker) const;
  bool serves_beside(const Worker& worker) const;
  bool makes_room(const Worker& gone) const;
  bool is_replaced(const Worker& gone) const;
  unsigned workers_asked() const;
  std::optional<SurgeStatus> surge_status() const;
  bool must_say_ready(const Policy& policy) const;
  void answer(const std::vector<RequestId>& askers, bool ok, const std::string& why, GenerationId failed = {});
  bool waits_for_survivors() const;
  bool waits_for_taken() const;
  Phase phase() const;
  unsigned ready_of_serving() const;

  Policy policy_;                // of the serving generation
  std::vector<Worker> workers_;  // oldest first
  std::optional<GenerationId> serving_;
  bool serving_says_ready_ = false;  // some worker of the serving generation said READY=1
  std::optional<Previous> previous_;
  std::optional<Probation> probation_;  // of the serving generation, with somebody who stands by
  std::optional<Rollout> rollout_;
  std::optional<QueuedReload> queued_;
  std::optional<Stopping> stopping_;
  std::optional<SurvivorsStatus> survivors_;
  std::optional<Taken> taken_;
  bool finished_ = false;
  std::vector<RequestId> wait_until_settled_;  // of those who ask for reloads

  Restarts restarts_;  // of the serving generation
  Liveness liveness_;  // likewise
  Counts counts_;
  std::optional<ReloadStatus> last_reload_;

  std::vector<Action> actions_;          // of the event being handled
  std::vector<GenerationId> to_settle_;  // whose workers begin to, likewise
};

}  // namespace graced
