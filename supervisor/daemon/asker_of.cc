#include "daemon/asker_of.h"

#include "linux/proc/process.h"
#include "options/option_values.h"

namespace graced {

namespace {

std::string program_of(pid_t pid) {
  if (pid <= 0) return "";
  const std::string name = name_of(pid);
  return name == "?" ? "" : name;
}

}  // namespace

Asker asker_at_control_socket(pid_t pid, uid_t user) {
  return {.how = "control", .user = user, .pid = pid, .program = program_of(pid)};
}

Asker asker_by_signal(int signo, const SignalSender& sender) {
  Asker by{.how = "signal", .signal = "SIG" + signal_name(signo)};
  if (sender.by_kernel) return by;
  by.user = sender.user;
  by.pid = sender.pid;
  by.program = program_of(sender.pid);
  return by;
}

}  // namespace graced
