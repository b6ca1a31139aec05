// Derives what happened to this instance, once, from what the core decides and how it goes, with who asked for
// it and how long it took.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/instance_event.h"
#include "core/status.h"
#include "daemon/departed.h"

namespace graced {

class InstanceEvents {
 public:
  // told: of each event, in the order in which they happened, once it is complete: when all that follows from
  // what the core was told is done. Not called from within.
  InstanceEvents(std::string name, std::function<void(const InstanceEvent&)> told);

  // The course of the last candidate there was.
  struct Candidate {
    GenerationId generation{};
    Asker by{};
    Instant began{};
    std::optional<Instant> checked{};  // when that began, and so on
    std::optional<Instant> started{};
    std::optional<Instant> probed{};
    std::optional<Instant> shared{};
    bool ready = false;
  };

  // What another image of this process takes over, see linux/upgrade: all has been told between two events.
  struct Kept {
    Asker asker{};
    std::optional<Asker> next{};
    std::optional<Asker> by{};
    std::optional<Candidate> candidate{};
    std::optional<WorkerId> ended{};
    std::optional<GenerationId> failed_start{};
    std::string why_failed{};
    std::vector<GenerationId> draining{};
    Phase phase = Phase::starting;
  };
  Kept kept() const;
  void take_over(Kept kept);

  // Who asks for what comes next.
  void asks(Asker by) { asker_ = std::move(by); }
  const Asker& asker() const { return asker_; }

  // Comes before the core is told that a reload was asked for. Of those who want the same one the first counts.
  void reload_asked();
  // The same of a rollback, a stop or the hammer; until handled().
  void asked() { by_ = asker_; }

  // The course of a candidate.
  void began(GenerationId candidate, const Status& status);
  void check_began(GenerationId generation, const Status& status);
  void spawns(GenerationId generation, const Status& status);  // also of replacements, later
  void probed(GenerationId generation, const Status& status);  // each probe
  // It gets this share of the new connections: each step.
  void shared(GenerationId generation, unsigned per_mille, const Status& status);
  void serves(GenerationId generation, const Status& status);
  // After that: it has taken the place of this server. `who`: to show.
  InstanceEvent taken(GenerationId first, pid_t server, const std::string& who, const Status& status);
  void failed(GenerationId generation, const std::string& why, const Status& status);
  void rolled_back(GenerationId from, const std::string& why, bool probe, const Status& status);
  void replaced(GenerationId by, const std::string& why, const Status& status);
  void not_replaced(GenerationId generation, const std::string& why, const Status& status);
  void promoted(GenerationId generation, const Status& status);  // it has stood its probation

  // graced itself, by another image; reason: "from 0.1.0 to 0.2.0", or why not. Told at once.
  void upgraded(const Asker& by, bool ok, const std::string& reason, const Status& status);

  // Those that had not ended by themselves; generation 0: what an earlier graced has left.
  void killed(GenerationId generation, std::size_t workers, const Status& status);

  // An event has been decided on: a worker may have ended by itself.
  void decided(const Status& status, const FindDeparted& departed);
  // And all that followed from it is done: what happened is told. May be called once more.
  void handled(const Status& status);
  // The same of what happened without the core.
  void tell();

 private:
  using Kind = InstanceEvent::Kind;

  InstanceEvent& add(Kind kind, GenerationId about, const Status& status);
  void add_course(InstanceEvent& event) const;
  Candidate* candidate(GenerationId generation);
  void is_ready(Candidate& candidate, const Status& status);
  void look_at_phase(const Status& status);
  void look_at_end(const Status& status);
  void look_at_draining(const Status& status);

  std::string name_;
  std::function<void(const InstanceEvent&)> told_;
  std::vector<InstanceEvent> news_;  // not told yet
  Asker asker_;
  std::optional<Asker> next_;  // of the next candidate
  std::optional<Asker> by_;
  std::optional<Candidate> candidate_;
  std::optional<WorkerId> ended_;  // the last one that was told of
  std::optional<GenerationId> failed_start_;
  std::string why_failed_;
  std::vector<GenerationId> draining_;
  Phase phase_ = Phase::starting;
};

}  // namespace graced
