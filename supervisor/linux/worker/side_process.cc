// fork(2), without exec: what it has to do is code of ours, and graced has one thread.
#include "linux/worker/side_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux/base/pidfd.h"
#include "linux/base/sys_error.h"
#include "linux/proc/send_signal.h"

namespace graced {

namespace {

[[noreturn]] void run(const std::function<void(int)>& work, int directory, int output) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (directory >= 0 && ::fchdir(directory) != 0) ::_exit(1);
  constexpr int place = STDERR_FILENO + 1;
  if (output != place) ::dup2(output, place);
  ::syscall(SYS_close_range, place + 1, ~0U, 0);
  try {
    work(place);
  } catch (...) { ::_exit(1); }  // what there is to tell was written
  ::_exit(0);
}

}  // namespace

SideProcess::SideProcess(int directory, const std::function<void(int output)>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw sys_error("create a pipe for a process of graced's own");
  output_.reset(ends[0]);
  const Fd its_end(ends[1]);
  if (::fcntl(output_.get(), F_SETFL, O_NONBLOCK) != 0)
    throw sys_error("create a pipe for a process of graced's own");
  const pid_t pid = ::fork();
  if (pid < 0) throw sys_error("start a process of graced's own");
  if (pid == 0) run(work, directory, its_end.get());
  pidfd_ = open_pidfd(pid);
}

SideProcess::~SideProcess() {
  if (pidfd_) send_signal(pidfd_, SIGKILL);
}

}  // namespace graced
