// How one image calls another: a word in the environment, GRACED_UPGRADE. It means only the process whose PID
// is in it, so that one which was inherited by a worker, or typed by somebody, means nothing. Every version
// reads the words of every other: keys that it does not know are ignored.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/time.h"

namespace graced {

struct UpgradeCall {
  enum class Kind {
    trial,   // a child: it reads the state, looks at all it would take over, answers and ends
    resume,  // it takes over
    back,    // it was here before; the image that was to take over could not
  };
  Kind kind = Kind::trial;
  int state = -1;          // see state_file.h
  int answer = -1;         // trial: where to answer, see trial_answer.h
  int old = -1;            // resume: the image to go back to
  Duration limit{};        // resume and back: the time until the commit; whole milliseconds
  std::uint64_t mask = 0;  // the signals that were blocked before the exec: bit 0 is signal 1
  std::string name{};      // what the process is called, /proc/PID/comm
  std::string why{};       // back: what the other image did, one line
};

// "GRACED_UPGRADE=resume pid=7 state=12 …". What `why` has is at its end.
std::string text_of(const UpgradeCall& call, pid_t to);

// The call that this process was started with, which is removed from its environment; first of all in main().
// nullopt: it was not called, but started. An image that was called has all signals blocked, and is called as
// the process was before (PR_SET_NAME). Throws std::runtime_error for a call that it cannot understand.
std::optional<UpgradeCall> take_upgrade_call();

}  // namespace graced
