#include "linux/proc/look_rights.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "linux/base/capabilities.h"
#include "linux/proc/proc_file.h"

namespace graced {

namespace {

// The kernel itself would have none of this number; a filter answers before it looks.
LookRights::Call answer_of_call() {
  if (::syscall(SYS_pidfd_getfd, -1, -1, 0) >= 0 || errno == EBADF) return LookRights::Call::works;
  return errno == ENOSYS ? LookRights::Call::missing : LookRights::Call::refused;
}

bool has_filter() {
  constexpr std::string_view heading = "\nSeccomp:\t";
  const std::string status = contents_of("/proc/self/status").value_or("");
  const std::size_t at = status.find(heading);
  return at != std::string::npos && status[at + heading.size()] == '2';
}

}  // namespace

LookRights look_rights() {
  const std::string scope = contents_of("/proc/sys/kernel/yama/ptrace_scope").value_or("0");
  return {answer_of_call(), has_filter(), has_capability(CAP_SYS_PTRACE), std::atoi(scope.c_str())};
}

std::string why_no_descriptor(const LookRights& rights) {
  const std::string_view profile =
      rights.capability ? "allow the call in its profile"
                        : "give the container CAP_SYS_PTRACE (Docker: --cap-add=SYS_PTRACE), with which the "
                          "usual profiles allow it, or allow it in the profile";
  switch (rights.call) {
    case LookRights::Call::missing:
      if (!rights.filtered) return "this kernel has no pidfd_getfd(2): it takes Linux 5.14";
      return std::string(
                 "there is no pidfd_getfd(2): the kernel is older than Linux 5.14, or the container's "
                 "seccomp filter hides it: ")
          .append(profile);
    case LookRights::Call::refused:
      if (!rights.filtered) break;
      return std::string("the container's seccomp filter refuses pidfd_getfd(2): ").append(profile);
    case LookRights::Call::works:
      break;
  }
  return why_no_look(rights);
}

std::string why_no_look(const LookRights& rights) {
  if (rights.yama_scope >= 3)
    return "kernel.yama.ptrace_scope is 3, so nobody may until a boot with another value";
  if (rights.capability)
    return "a security module such as AppArmor or SELinux forbids it, as graced has CAP_SYS_PTRACE";
  if (rights.yama_scope == 2)
    return "kernel.yama.ptrace_scope is 2: set it to 1, or give graced CAP_SYS_PTRACE";
  return "it needs CAP_SYS_PTRACE";
}

}  // namespace graced
