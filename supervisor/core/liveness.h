// Who serves is looked at again and again, where a probe asks for that. When it has failed another generation
// of the same is to replace it: here is when, so that what cannot be mended is not tried without end.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/members.h"
#include "core/policy.h"
#include "core/probing.h"
#include "core/status.h"

namespace graced {

class Liveness {
 public:
  // A generation of this policy serves from now on. of_same: it has replaced another one of the same, so the
  // delays and the count of replacements go on.
  void watch(const Policy& policy, bool of_same, Instant now);
  void stop() { probing_.reset(); }

  // One of its workers is ready, and none was: what was seen meanwhile does not count.
  void begin_anew(Instant now);

  // See Probing.
  std::vector<unsigned> due(Instant now);
  Instant next_look() const { return probing_ ? probing_->next() : no_deadline; }
  void passed(unsigned probe, Instant now);
  // True: with that it has failed, and had not before.
  bool failed(unsigned probe, const std::string& saw, const Policy& policy, Instant now);

  // It looked where nobody could answer.
  void saw_nobody(unsigned probe, Instant now);

  // Why it is to be replaced; none: it is not.
  std::optional<std::string> failure() const { return probing_ ? probing_->failure() : std::nullopt; }
  // When; no_deadline: never. Those that were tried within the start limit's window are at most as many as
  // that.
  Instant next_attempt() const { return failure() ? next_attempt_ : no_deadline; }
  void attempt_begins(Instant now) { attempts_.push_back(now); }
  void attempt_failed(const Policy& policy, Instant now) { wait(policy, now); }

  std::vector<ProbeStatus> status() const;  // empty: no probe looks

  // The last one, since the last reload that went well.
  std::optional<ReplacementStatus> last_replacement{};

 private:
  template <class>
  friend struct Members;
  void wait(const Policy& policy, Instant now);

  std::optional<Probing> probing_;
  Instant since_{};
  Duration delay_{};
  Instant next_attempt_ = no_deadline;
  std::deque<Instant> attempts_;
};

}  // namespace graced
