// The new image, tried: a child runs it with the descriptors and the state that it is to take over, and it
// answers whether it could. It may look, and nothing more.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "core/time.h"
#include "linux/base/fd.h"
#include "linux/event/loop.h"
#include "linux/proc/child_exits.h"
#include "linux/upgrade/succession.h"

namespace graced {

struct TrialResult {
  std::optional<std::string> refusal;  // one line, "it was killed by SIGSEGV"; nullopt: it can take over
  std::string version{};               // which it says it is; where there is no refusal
};

class Trial {
 public:
  using Done = std::function<void(const TrialResult&)>;

  // Starts it; `done` is called once, from the loop or from ended(), and may destroy the trial. limit: from now
  // to its end. Throws std::system_error where this process has no descriptor or memory for it.
  Trial(Loop& loop, const NewImage& image, const Succession& succession, Duration limit, Done done);
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial();  // kills it; whoever reaps graced's children reaps it

  // Kills it, and waits until it has nothing open any more; `done` is not called. A socket that this process
  // closes would go on getting what comes to its address, as the trial has it as well.
  void call_off();

  // Whoever reaps graced's children tells of each. False: it was none of this one's.
  bool ended(const ChildExit& child);

 private:
  void read_answer();
  void read_words();
  void time_came();
  TrialResult verdict(const ChildExit& child) const;
  std::string with_last_words(const std::string& fact) const;

  Loop& loop_;
  Duration limit_;
  Done done_;
  pid_t pid_ = -1;
  Fd pidfd_;
  Fd state_;
  Fd answers_;
  Fd outputs_;
  std::string answer_;
  std::optional<ChildExit> end_;
  std::string words_;  // the end of what it wrote to standard output and standard error
  Source answer_source_;
  Source words_source_;
  Source timer_;
};

}  // namespace graced
