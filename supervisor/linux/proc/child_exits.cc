#include "linux/proc/child_exits.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "linux/base/sys_error.h"

namespace graced {

namespace {

std::optional<ChildExit> next_child(int what) {
  siginfo_t info{};
  if (::waitid(P_ALL, 0, &info, what | WNOHANG) != 0 || info.si_pid == 0) return std::nullopt;
  return ChildExit{info.si_pid, info.si_code, info.si_status};
}

}  // namespace

std::optional<ChildExit> next_ended_child() {
  return next_child(WEXITED | WNOWAIT);
}

void reap(pid_t child) {
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED);
}

std::optional<ChildExit> next_stopped_child() {
  return next_child(WSTOPPED | WCONTINUED);
}

void adopt_orphans() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) throw sys_error("become the reaper of orphaned processes");
}

}  // namespace graced
