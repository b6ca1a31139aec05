// A candidate that is ready, and has passed its probes, gets a share of the new connections before it gets all
// of them: a larger one at each step. Who is given a connection is decided elsewhere; here is how long a step
// takes, and what follows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/members.h"
#include "core/time.h"

namespace graced {

struct CanaryStep {
  unsigned per_mille = 0;  // of all new connections, 1…999
  Duration time{};         // above zero and finite

  friend bool operator==(const CanaryStep&, const CanaryStep&) = default;
};

// "5%", "0.5%".
std::string share_text(unsigned per_mille);

// "5%/30s,25%/2min": the shares rise. Throws std::invalid_argument with one line about the text.
std::vector<CanaryStep> parse_canary(std::string_view text);
std::string canary_text(const std::vector<CanaryStep>& steps);

struct CanaryStatus {
  unsigned per_mille = 0;
  unsigned step = 0;  // 1…steps
  unsigned steps = 0;
  Instant until = no_deadline;  // of the step; `no_deadline`: its time is over, and the gate is waited for
};

class Canary {
 public:
  enum class Next { nothing, gate, share, promotion };

  // steps: at least one. gated: a gate decides at the end of each.
  Canary(std::vector<CanaryStep> steps, bool gated, Instant now);

  // What follows now, each time once. `share`: the next step has begun.
  Next look(Instant now);
  Next gate_passed(Instant now);

  bool waits_for_gate() const { return waits_for_gate_; }
  unsigned step() const { return step_ + 1; }  // 1…N
  unsigned per_mille() const { return steps_[step_].per_mille; }
  Instant next() const { return until_; }  // when to look
  CanaryStatus status() const;

 private:
  template <class>
  friend struct Members;
  Canary() = default;

  Next go_on(Instant now);

  std::vector<CanaryStep> steps_;
  bool gated_ = false;
  bool waits_for_gate_ = false;
  unsigned step_ = 0;
  Instant until_ = no_deadline;
};

}  // namespace graced
