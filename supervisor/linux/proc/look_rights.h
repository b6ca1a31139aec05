// Why graced may not look into a process: to look into one of the same user is a right that container engines'
// seccomp profiles, Yama and security modules take away, each with another way out.
#pragma once

#include <string>

namespace graced {

struct LookRights {
  enum class Call { works, refused, missing };  // of pidfd_getfd(2), whatever it is asked for

  Call call = Call::works;
  bool filtered = false;    // by seccomp: graced has a filter (Seccomp: in proc_pid_status(5))
  bool capability = false;  // CAP_SYS_PTRACE
  int yama_scope = 0;       // kernel.yama.ptrace_scope; 0 where there is none
};

// Of this process, now.
LookRights look_rights();

// What is in the way of pidfd_getfd(2) on a process that the kernel would show, and the way out.
std::string why_no_descriptor(const LookRights& rights);

// The same of what /proc shows of a process.
std::string why_no_look(const LookRights& rights);

}  // namespace graced
