// What is noticed of a candidate while it is prepared and on trial, and why the last one failed. What belongs
// to a reason is found by the generation that it is about. No system call, no log.
#pragma once

#include <string>
#include <vector>

#include "core/id.h"
#include "core/members.h"

namespace graced {

class CandidateFailure {
 public:
  // A rollout begins. The candidate that failed before stays known.
  void begin(GenerationId candidate);

  // Nothing is noted of any other generation. Lines: of the process of it that ended first, see last_words().
  void note_last_words(GenerationId generation, std::vector<std::string> lines);
  void note_error(int code);  // errno of what could not be prepared

  // Who said READY=1 in this rollout without being known for a worker's. False: that was noted before.
  bool note_stranger(const std::string& remark);

  bool has_last_words() const { return !candidate_.last_words.empty(); }

  // It failed. `missing`: what it was waited for; may be empty.
  void failed(const std::string& why, const std::string& missing);

  // Of the last one that failed: the reason on one line, with what was missing.
  std::string line() const;

  // A reason for people: with its details, and the last lines, if it is why this generation failed.
  std::string in_full(GenerationId generation, const std::string& why) const;

  // Of the last rollout, 0: it did not fail for an errno.
  int error() const { return candidate_.error; }

 private:
  template <class>
  friend struct Members;

  struct Candidate {
    GenerationId generation{};
    std::string stranger{};
    std::vector<std::string> last_words{};
    int error = 0;
  };
  struct Failed {
    GenerationId generation{};
    std::string why{};
    std::string details{};
    std::vector<std::string> last_words{};
  };

  Candidate candidate_;
  Failed failed_;
};

}  // namespace graced
