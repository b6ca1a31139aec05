// Notices what happens to this instance that the history is to tell, and who asked for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/history.h"
#include "core/status.h"
#include "daemon/departed.h"

namespace graced {

class HistoryKeeper {
 public:
  // Who asks for what comes next.
  void asks(Asker by) { asker_ = std::move(by); }
  const Asker& asker() const { return asker_; }

  // Comes before the core is told that a reload was asked for. Of those who want the same one the first counts.
  void reload_asked();
  // The same of a rollback, a stop or the hammer; until handled().
  void asked() { by_ = asker_; }

  // The course of a candidate.
  void began(GenerationId candidate, const Status& status);
  void check_began(GenerationId candidate);
  void spawns(GenerationId generation);
  void probed(GenerationId candidate);
  void shared(GenerationId candidate);
  void serves(GenerationId generation, const Status& status);
  void rolled_back(GenerationId from, const std::string& why, const Status& status);
  void failed(GenerationId candidate, const std::string& why, const Status& status);

  // Those that had not ended by themselves; generation 0: what an earlier graced has left.
  void killed(GenerationId generation, std::size_t workers, const Status& status);

  // An event has been decided on: a worker may have ended by itself.
  void decided(const Status& status, const FindDeparted& departed);
  // And all that followed from it is done.
  void handled(const Status& status);

  std::vector<HistoryEntry> last(std::size_t most) const { return history_.last(most); }

 private:
  struct Candidate {
    GenerationId generation;
    Asker by;
    Instant began;
    std::optional<Instant> checked{};  // when that began, and so on
    std::optional<Instant> started{};
    std::optional<Instant> probed{};
    std::optional<Instant> shared{};
  };

  HistoryEntry& add(HistoryEntry entry, const Status& status);
  void tell_course(HistoryEntry& entry) const;

  History history_;
  Asker asker_;
  std::optional<Asker> next_;  // of the next candidate
  std::optional<Asker> by_;
  std::optional<Candidate> candidate_;  // the last one there was
  std::optional<WorkerId> ended_;       // the last one that was told of
  std::optional<GenerationId> failed_start_;
  std::string why_failed_;
  HistoryEntry* hammer_ = nullptr;  // the last entry, if it is of this event
  Phase phase_ = Phase::starting;
};

}  // namespace graced
