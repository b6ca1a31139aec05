// A forked process loads the filter, becomes the worker's user and waits; its parent tries to take a
// descriptor from it. That is all that adoption does later.
#include "linux/adoption/adoption_capability.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "linux/base/fd.h"
#include "linux/base/pidfd.h"
#include "linux/base/sys_error.h"
#include "linux/proc/look_rights.h"
#include "linux/seccomp/adoption_filter.h"

namespace graced {

namespace {

struct Loaded {
  int code = 0;  // errno of the last try
  bool no_new_privs = false;
  bool wait_killable = true;
  int listener = -1;
};

// Without no_new_privs first, and with the flag that older kernels do not know (EINVAL).
Loaded load(const std::vector<sock_filter>& filter) noexcept {
  Loaded loaded;
  for (int attempt = 0; attempt < 4 && loaded.listener < 0; ++attempt) {
    loaded.listener = load_adoption_filter(filter, loaded.wait_killable);
    loaded.code = loaded.listener < 0 ? errno : 0;
    if (loaded.code == EACCES && !loaded.no_new_privs) {
      loaded.no_new_privs = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
      if (!loaded.no_new_privs) break;
    } else if (loaded.code == EINVAL && loaded.wait_killable) {
      loaded.wait_killable = false;
    } else {
      break;
    }
  }
  return loaded;
}

// As spawn() does it; what fails there is spawn's to report.
void become(const Launch::Identity& worker) noexcept {
  (void)::syscall(SYS_setgroups, worker.groups.size(), worker.groups.data());
  (void)::syscall(SYS_setresgid, worker.gid, worker.gid, worker.gid);
  (void)::syscall(SYS_setresuid, worker.uid, worker.uid, worker.uid);
}

std::string refused_look(int code, const Launch::Identity* worker) {
  if (code != EPERM && code != EACCES && code != ENOSYS)
    return fmt::format("pidfd_getfd: {}", std::generic_category().message(code));
  const std::string whose =
      worker != nullptr ? fmt::format("processes of user {}", worker->name) : "its workers";
  return fmt::format("graced may not look into {} ({})", whose, why_no_descriptor(look_rights()));
}

}  // namespace

AdoptionCapability probe_adoption(const Launch::Identity* worker) {
  const std::vector<sock_filter>& filter = adoption_filter();
  int report[2];
  int hold[2];
  if (::pipe2(report, O_CLOEXEC) != 0) throw sys_error("create a pipe to try adoption");
  const Fd report_end(report[0]);
  Fd its_report(report[1]);
  if (::pipe2(hold, O_CLOEXEC) != 0) throw sys_error("create a pipe to try adoption");
  const Fd its_hold(hold[0]);
  Fd hold_end(hold[1]);

  const pid_t child = ::fork();
  if (child < 0) throw sys_error("start a process to try adoption");
  if (child == 0) {
    hold_end.reset();
    const Loaded loaded = load(filter);
    if (worker != nullptr) become(*worker);
    (void)!::write(its_report.get(), &loaded, sizeof loaded);
    char none;
    (void)!::read(its_hold.get(), &none, 1);
    ::_exit(0);
  }
  its_report.reset();

  Loaded loaded;
  const bool heard = ::read(report_end.get(), &loaded, sizeof loaded) == sizeof loaded;
  int looked = 0;
  if (heard && loaded.code == 0) {
    const Fd process = open_pidfd(child);
    if (!process || !copy_descriptor(process, loaded.listener)) looked = errno;
  }
  hold_end.reset();
  ::waitpid(child, nullptr, 0);

  AdoptionCapability found;
  found.needs_no_new_privs = loaded.no_new_privs;
  found.wait_killable = loaded.wait_killable;
  if (!heard) {
    found.why =
        "loading a seccomp filter kills the process (a container's own filter, perhaps; give the "
        "addresses with --listen)";
  } else if (loaded.code != 0) {
    found.why = adoption_filter_refused(loaded.code);
  } else if (looked != 0) {
    found.why = refused_look(looked, worker);
  } else {
    found.possible = true;
    if (loaded.no_new_privs) {
      found.why = "without CAP_SYS_ADMIN no_new_privs is set: sudo and setuid programs do not work in workers";
    }
    if (!loaded.wait_killable) {
      if (!found.why.empty()) found.why += "; ";
      found.why += "before Linux 5.19 a signal can interrupt a worker's bind (EINTR)";
    }
  }
  return found;
}

}  // namespace graced
