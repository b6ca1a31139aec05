// A witness who sees all that is said between the core and its edge, knows which processes there
// are, and holds the core to its promises after every event:
//
//   candidate   there is at most one; it ends with Switch or with Abandon
//   workers     never more than N of the serving generation work; a slot has one worker
//   Spawn       for the candidate or the serving generation only; watched as its rule says
//   Probe       for a candidate only all of whose N workers are ready, and none once that probe has passed; for
//   the
//               serving generation only by the probes that look while it serves, and while one of its workers
//               is ready; one look a probe at a time
//   batches     of as many workers as the policy says, one after the other, each once there is room: with them
//   no
//               more workers are about than one generation has and one batch
//   Join        when all of a batch that is not the last one are ready, and the first one has passed its
//   probes, and
//               then at once; the serving workers of its slots leave. They are started again if the candidate
//               fails, and its workers that have joined leave as any do
//   replacement begins only where such a probe has failed as often as it may, nobody stands by and no reload
//   runs
//               or waits; no more of them than the start limit has room for, and none before its delay is over;
//               it is no reload, is given up for one that somebody asks for, and has no probation
//   Switch      only to a generation all of whose N workers are ready, by their own rule, and whose probes have
//               passed, and then at once; or back to the one that stands by, if one of the serving generation
//               or its probe fails or somebody asks for it, and then at once; or, if somebody asks, to the one
//               that served before and of which nobody was told to leave
//   standby     is the last generation that was proven, while the serving one is on probation; its workers are
//               told nothing until that is over, and those that end are replaced only after a rollback
//   Share       for a candidate only that is as far as one that gets the Switch, with the share of its first
//   step,
//               and of each next one once the time of the one before is over and its gate has passed; the
//               Switch is after the last one, or when nobody else serves any more. Taken back, once, when such
//               a candidate fails, which then leaves as one that has served
//   Gate        where there is one, once the time of a step is over
//   Retire      at most one a worker, and only where its generation drains idle ones, after a Switch or
//               when graced stops; its Drain follows when it is idle, late, or too many drain
//   Settle      right after a Switch, of the generation that served if it drains by signal and the new policy
//   gives
//               it time for that; its Drain follows when it has settled, is late, too many drain or graced
//               stops
//   Drain       at most one a worker; a serving one hears it only after a Switch, when graced stops,
//               or as a replacement that was not ready in time
//   Kill        at most one a worker, after Drain or after its own STOPPING=1 (the
//               hammer need not wait for either), and only because its
//               deadline passed, the hammer came, a second stop, or max-draining (the oldest first)
//   DrainRest   once for a worker whose process is gone and has left others behind, unless it is retired, which
//               then is told with its Drain, or killed
//   Lost        once for each worker that is gone, replaced exactly if one of the serving generation has its
//               slot or will have it; taken back when graced stops before that one was started
//   deadlines   those promised by the generation's policy; after TimePassed none is in the past, and
//               none is ever slept through; of a retired worker the signal, the closing of connections and the
//               kill come in this order, and none of its connections counts as idle before its policy says so
//   reload      until the Switch nothing changes for the serving workers; at most one is queued
//   abort       ends the candidate at once, and nothing else; who waits in the queue still waits, or is next
//   draining    at most max-draining generations, not counting the serving one
//   answers     every asker has exactly one, when what it asked for ends
//   survivors   drained once, at the first Switch or at a stop that waits for them; killed at most once,
//               after that, and only because their deadline passed or the hammer came
//   taken over  retired or told at the first Switch, and not before; told once, killed at most once after that,
//   and
//               never where others end it; given back exactly if none has served, when no process is left
//   the end     by itself only for a reason; Finished once and last, when no process is left;
//               nothing follows
//   status      agrees with all of that
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/supervisor.h"

namespace graced {

struct BrokenPromise : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// How often the walk came by the places worth coming by.
struct Tally {
  std::uint64_t events = 0;
  std::uint64_t switches = 0;
  std::uint64_t probed = 0;
  std::uint64_t failed_probes = 0;
  std::uint64_t canaries = 0;
  std::uint64_t canary_steps = 0;
  std::uint64_t failed_canaries = 0;
  std::uint64_t gates = 0;
  std::uint64_t canaries_alone = 0;  // nobody else served any more
  std::uint64_t abandons = 0;
  std::uint64_t aborts = 0;
  std::uint64_t queued = 0;
  std::uint64_t replacements = 0;
  std::uint64_t late_replacements = 0;
  std::uint64_t left_by_themselves = 0;
  std::uint64_t outlived = 0;
  std::uint64_t outlived_retired = 0;
  std::uint64_t settled = 0;
  std::uint64_t settled_late = 0;
  std::uint64_t idle = 0;
  std::uint64_t told_when_late = 0;
  std::uint64_t told_for_room = 0;
  std::uint64_t kills_by_deadline = 0;
  std::uint64_t kills_by_max_draining = 0;
  std::uint64_t kills_by_request = 0;
  std::uint64_t survivors_killed = 0;
  std::uint64_t survivors_waited_for = 0;
  std::uint64_t taken_given_back = 0;
  std::uint64_t taken_told = 0;
  std::uint64_t taken_killed = 0;
  std::uint64_t taken_waited_for = 0;
  std::uint64_t joins = 0;
  std::uint64_t joined_failed = 0;
  std::uint64_t restored = 0;
  std::uint64_t ailed = 0;
  std::uint64_t replaced = 0;  // by another one of the same
  std::uint64_t not_replaced = 0;
  std::uint64_t given_up_for_reload = 0;
  std::uint64_t rollbacks_by_probe = 0;
  std::uint64_t called_back = 0;
  std::uint64_t rollbacks = 0;
  std::uint64_t rollbacks_of_second = 0;  // bad one in a row
  std::uint64_t proven = 0;
  std::uint64_t left_alone = 0;
  std::uint64_t gave_up = 0;
  std::uint64_t finished = 0;
  std::uint64_t written = 0;  // down, and gone on with; each as it was then
  std::uint64_t written_on_canary = 0;
  std::uint64_t written_on_probation = 0;
  std::uint64_t written_between_batches = 0;
  std::uint64_t written_while_probed = 0;
  std::uint64_t written_while_ailing = 0;
  std::uint64_t written_while_stopping = 0;
  std::uint64_t written_with_queue = 0;
  std::uint64_t written_in_backoff = 0;
  std::uint64_t written_with_survivors = 0;
  std::uint64_t written_while_taken = 0;
};

class Witness {
 public:
  Witness(const Policy& first, Tally& tally) : first_(first), tally_(tally) {}

  struct Process {
    GenerationId generation;
    unsigned slot = 0;
    Instant started{};
    bool said_ready = false;
    bool is_ready = false;  // by its generation's rule
    bool standby = false;
    bool joined = false;  // it has served beside the generation before
    bool settles = false;
    Duration settle_time = 0s;
    bool retired = false;
    bool drained = false;
    bool told_for_room = false;  // because too many generations drained
    bool left_by_itself = false;
    bool outlived = false;  // its process is gone, what that started is not
    bool killed = false;

    bool told() const { return settles || retired || drained || left_by_itself || outlived; }
    bool works() const { return !told() && !killed && !standby; }
    bool stands_by() const { return !told() && !killed && standby; }
    bool leaves() const { return told() && !killed; }
  };

  // Throws BrokenPromise.
  void sees(const Event& event, Instant now, const Status& before, const std::vector<Action>& actions,
            const Supervisor& after);

  const std::map<WorkerId, Process>& processes() const { return processes_; }
  const Policy& policy_of(GenerationId generation) const;
  const Policy& serving_policy() const;
  std::optional<GenerationId> serving() const { return serving_; }
  std::optional<GenerationId> standby() const { return standby_; }
  std::optional<GenerationId> unprepared() const;  // asked to be prepared, and not answered yet
  std::optional<GenerationId> candidate() const { return candidate_; }
  unsigned joined() const { return joined_; }  // workers of the candidate that serve
  std::optional<GenerationId> replaces() const { return replaces_; }
  std::optional<unsigned> looking() const;   // a probe of the candidate that is waited for
  std::optional<unsigned> watching() const;  // of the serving generation
  bool is_canary() const { return canary_.has_value(); }
  std::optional<unsigned> gate() const;  // of the step (1…N) that is waited for
  GenerationId newest_generation() const { return newest_; }
  bool stopping() const { return stopping_; }
  bool finished() const { return finished_; }
  bool survivors() const { return survivors_; }
  bool survivors_drained() const { return survivors_drained_; }
  bool taken_leaves() const { return taken_ && taken_retired_; }
  bool all_answered() const {
    return candidate_askers_.empty() && queued_askers_.empty() && probation_askers_.empty() &&
           stop_askers_.empty();
  }

 private:
  void happened(const Event& event);
  void done(const Action& action);
  void on(const Prepare&);
  void on(const Spawn&);
  void on(const Probe&);
  void on(const Share&);
  void on(const Gate&);
  void on(const Join&);
  void proves_itself(GenerationId candidate);
  bool is_replaced_by_batch(unsigned slot) const;
  void on(const Switch&);
  void promoted(const Switch&);
  void rolled_back(const Switch&);
  void serves_now(GenerationId generation);
  void is_to_leave(GenerationId generation);
  void is_to_leave(WorkerId id, Process& process, const Policy& following);
  unsigned batch() const;  // how many workers of the candidate are started at a time
  bool serves(const Process& p) const { return is_serving(p) || (p.joined && candidate_ == p.generation); }
  GenerationId who_stands_by(GenerationId serving) const;
  bool can_stand_by(WorkerId id, const Process& process) const;
  void on(const RolledBack&);
  void on(const Ailing&);
  void on(const Replaced&);
  void on(const Return&);
  void begins_to_replace(const Prepare&);
  void saw_while_serving(unsigned probe, bool passed);
  void probe_serving(unsigned probe);
  void on(const Proven&);
  void on(const Abandon&);
  void on(const Retire&);
  void on(const Settle&);
  void on(const Drain&);
  void told_retired(WorkerId id, Process& process);
  void told_settling(WorkerId id, Process& process);
  void on(const DrainRest&);
  void on(const Kill&);
  void on(const DrainSurvivors&);
  void on(const KillSurvivors&);
  void on(const RetireTaken&);
  void on(const DrainTaken&);
  void on(const KillTaken&);
  void on(const GiveBackTaken&);
  void on(const Lost&);
  void on(const Answer&);
  void on(const Finished&);
  void lost(WorkerId id, const Process& process, int status);
  void to_answer(std::set<RequestId>& askers, bool ok);
  bool may_need_room() const { return switched_from_ || abandoned_ || proven_; }
  bool has_passed(GenerationId candidate) const;
  void begins_canary(const Share&);
  void ends_canary();
  bool is_ready(GenerationId candidate) const;
  bool nobody_will_serve() const;
  void look_at_end(bool was_stopping);
  void look_at(const Status& status);
  void look_at_last_exit(const Status& status);
  void look_at_workers(const Status& status);
  void look_at_deadlines(const Supervisor& after, const Status& status);
  void look_at_connections(const WorkerStatus& worker);
  void look_at_the_untouched(const Status& status);
  std::set<GenerationId> draining_generations() const;
  Instant time_of_retired(const WorkerStatus& now, const WorkerStatus& before) const;
  bool is_serving(const Process& process) const { return serving_ == process.generation; }

  const Policy first_;
  Tally& tally_;

  std::map<WorkerId, Process> processes_;
  std::map<GenerationId, Policy> policies_;  // of the prepared ones
  struct Look {
    unsigned passes = 0;
    unsigned fails = 0;
    bool looks = false;
  };
  std::map<unsigned, Look> probed_;  // of the candidate's probes, those that were asked to look
  struct Course {
    std::size_t step = 0;
    Instant until{};
    bool asked = false;  // the gate
    bool taken_back = false;
  };
  std::optional<Course> canary_;  // of the candidate
  std::map<unsigned, Look>
      watched_;  // of the serving generation's, likewise; not all of its failures may count
  std::optional<GenerationId> replaces_;  // the candidate, and not asked for
  std::optional<GenerationId> previous_;  // served before, and was another build
  std::vector<Instant> attempts_;         // to replace one, since a generation that was asked for serves
  Instant next_attempt_{};                // not before
  std::optional<GenerationId> serving_;
  std::optional<GenerationId> candidate_;
  unsigned joined_ = 0;          // workers of the candidate that serve
  std::set<unsigned> given_up_;  // slots of the serving generation, for the candidate
  bool want_back_ = false;       // some of those were not all started again when that failed
  bool serving_said_ready_ = false;
  std::vector<Instant> unexpected_exits_;
  std::optional<WorkerId> last_lost_;     // by itself, of the serving generation
  std::set<unsigned> to_be_filled_;       // slots of the serving generation
  std::map<WorkerId, unsigned> waiting_;  // those gone whose replacement has not been started; their slots
  std::set<GenerationId> thrown_away_;
  bool queued_ = false;
  bool stopping_ = false;
  bool stop_asked_ = false;
  bool finished_ = false;
  bool survivors_ = false;
  bool survivors_drained_ = false;
  bool survivors_killed_ = false;
  bool taken_ = false;
  bool taken_elsewhere_ = false;
  bool taken_retired_ = false;  // or told
  bool taken_drained_ = false;
  bool taken_killed_ = false;
  bool given_back_ = false;
  std::set<RequestId> candidate_askers_;
  std::set<RequestId> queued_askers_;
  std::set<RequestId> stop_askers_;
  std::set<RequestId> wait_until_settled_;  // of those who ask for reloads
  std::set<RequestId> probation_askers_;
  std::optional<GenerationId> standby_;
  Instant probation_until_{};
  bool second_ = false;  // who serves has replaced one that was on probation
  GenerationId newest_;
  WorkerId newest_worker_;

  // Of the event that is being looked at.
  const Event* event_ = nullptr;
  const Status* before_ = nullptr;
  Instant now_{};
  std::optional<GenerationId> switched_from_;  // 0: there was none
  std::optional<GenerationId> abandoned_;
  std::optional<GenerationId> to_abort_;
  bool has_failed_ = false;  // the candidate, by a probe
  bool ends_canary_ = false;
  bool gate_passed_ = false;
  bool to_roll_back_ = false;
  bool rolled_back_ = false;
  bool told_of_rollback_ = false;
  std::optional<GenerationId> returned_;
  bool to_tell_of_replacement_ = false;
  bool proven_ = false;
  std::set<GenerationId> to_leave_now_;
  std::set<WorkerId> who_leaves_now_;  // of generations that go on
  bool joins_ = false;
  std::map<RequestId, bool> to_answer_now_;  // whether it went well
  std::set<WorkerId> told_now_;              // to leave
  std::set<GenerationId> to_settle_;
  bool hammered_ = false;
  bool one_too_many_ = false;  // lost beyond the start limit, and no candidate that might help
  std::optional<Process> gone_now_;
  std::optional<WorkerId> rest_to_tell_;
  std::set<WorkerId> to_take_back_;
};

}  // namespace graced
