#include "linux/proc/send_signal.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "linux/proc/process.h"

namespace graced {

bool send_signal(const Fd& process, int signo) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), signo, nullptr, 0) == 0;
}

void send_signal_awake(const Fd& process, int signo) {
  for (const int s : {signo, SIGCONT}) send_signal(process, s);
}

void send_signal_to_child(const Fd& process, pid_t pid, int signo) {
  if (!send_signal(process, signo)) ::kill(pid, signo);
}

void signal_group(pid_t leader, int signo) {
  ::kill(-leader, signo);
}

void kill_group(pid_t leader) {
  signal_group(leader, SIGKILL);
}

void kill_all_below(pid_t leader) {
  const std::vector<pid_t> below = descendants_of(leader);
  kill_group(leader);
  for (const pid_t p : below) ::kill(p, SIGKILL);
}

pid_t group_of(pid_t pid) {
  return ::getpgid(pid);
}

bool leads_group_without_session(pid_t pid) {
  return ::getpgid(pid) == pid && ::getsid(pid) != pid;
}

}  // namespace graced
