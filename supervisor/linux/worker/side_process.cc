// fork(2), without exec: what it has to do is code of ours, and graced has one thread.
#include "linux/worker/side_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "linux/base/pidfd.h"
#include "linux/base/sys_error.h"
#include "linux/proc/send_signal.h"

namespace graced {

namespace {

void close_all_but(std::vector<int> kept) {
  std::ranges::sort(kept);
  unsigned from = STDERR_FILENO + 1;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > from) ::syscall(SYS_close_range, from, number - 1, 0);
    from = std::max(from, number + 1);
  }
  ::syscall(SYS_close_range, from, ~0U, 0);
}

[[noreturn]] void run(const std::function<void(int)>& work, const StartingPlace& place, int output,
                      std::vector<int> kept) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  place.enter();
  try {
    kept.push_back(output);
    close_all_but(std::move(kept));
    work(output);
  } catch (...) { ::_exit(1); }  // what there is to tell was written
  ::_exit(0);
}

}  // namespace

SideProcess::SideProcess(const StartingPlace& place, const std::function<void(int output)>& work,
                         std::vector<int> kept) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw sys_error("create a pipe for a process of graced's own");
  output_.reset(ends[0]);
  const Fd its_end(ends[1]);
  if (::fcntl(output_.get(), F_SETFL, O_NONBLOCK) != 0)
    throw sys_error("create a pipe for a process of graced's own");
  const pid_t pid = ::fork();
  if (pid < 0) throw sys_error("start a process of graced's own");
  if (pid == 0) run(work, place, its_end.get(), std::move(kept));
  pidfd_ = open_pidfd(pid);
}

bool SideProcess::speaks_within(Duration most) const {
  pollfd output{output_.get(), POLLIN, 0};
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(most, Duration{})).count();
  return ::poll(&output, 1, static_cast<int>(milliseconds)) == 1;
}

SideProcess::~SideProcess() {
  if (pidfd_) send_signal(pidfd_, SIGKILL);
}

}  // namespace graced
