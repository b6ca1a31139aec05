// Nothing is allocated, locked or thrown: the parent's memory is borrowed until exec.
#include "linux/worker/become_worker.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "linux/base/descriptor_message.h"
#include "linux/seccomp/adoption_filter.h"

namespace graced {

namespace {

constexpr int first_passed_fd = 3;

// Without leading zeros: sd_listen_fds() would read those as octal.
void write_number(char* at, pid_t number) noexcept {
  std::array<char, 20> digits{};
  std::size_t n = 0;
  for (; number > 0; number /= 10) digits[n++] = static_cast<char>('0' + number % 10);
  while (n > 0) *at++ = digits[--n];
}

// A source below the targets would be overwritten before its turn, so those move up first.
bool place_descriptors(SpawnLayout& l) noexcept {
  const Launch& launch = *l.launch;
  const int first_free = first_passed_fd + static_cast<int>(l.pass.size());
  for (int& fd : l.pass) {
    if (fd < first_free) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, first_free);
    if (fd < 0) return false;
  }
  int in = launch.stdin_fd;
  int out = launch.stdout_fd;
  int err = launch.stderr_fd;
  for (int* fd : {&in, &out, &err, &l.status_fd, &l.listener_socket, &l.program_fd, &l.directory_fd}) {
    if (*fd < 0 || *fd >= first_free) continue;
    *fd = ::fcntl(*fd, F_DUPFD_CLOEXEC, first_free);
    if (*fd < 0) return false;
  }
  if (l.status_fd < 0 || (launch.adoption && l.listener_socket < 0)) return false;
  if (in >= 0 && ::dup2(in, STDIN_FILENO) < 0) return false;
  if (out >= 0 && ::dup2(out, STDOUT_FILENO) < 0) return false;
  if (err >= 0 && ::dup2(err, STDERR_FILENO) < 0) return false;
  int target = first_passed_fd;
  for (const int fd : l.pass) {
    if (::dup2(fd, target++) < 0) return false;
  }
  // Other descriptors that graced was started with are not passed on.
  ::syscall(SYS_close_range, static_cast<unsigned>(first_free), ~0U, CLOSE_RANGE_CLOEXEC);
  return true;
}

// The parent sleeps until exec, so the descriptor has to wait for it in a socket. From here on nothing that
// the filter asks about may be called before exec: nobody would answer.
bool load_filter(const Launch::Adoption& adoption, int socket) noexcept {
  if (adoption.no_new_privs && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  const int listener = load_adoption_filter(*adoption.filter, adoption.wait_killable);
  if (listener < 0) return false;

  const bool sent = send_message(socket, "x", listener) == 1;
  ::close(listener);
  return sent;
}

// Raw calls: glibc's wrappers would go round all threads of a process that is not ours alone. Who is that user
// already needs no right to become it, and has the groups that its starter gave it.
bool become(const Launch::Identity& identity, SpawnStep& step) noexcept {
  step = SpawnStep::groups;
  if (::syscall(SYS_setgroups, identity.groups.size(), identity.groups.data()) != 0) {
    if (errno != EPERM || ::geteuid() != identity.uid || ::getegid() != identity.gid) return false;
  }
  step = SpawnStep::gid;
  if (::syscall(SYS_setresgid, identity.gid, identity.gid, identity.gid) != 0) return false;
  step = SpawnStep::uid;
  return ::syscall(SYS_setresuid, identity.uid, identity.uid, identity.uid) == 0;
}

// What exec gives to a process that is not root's: its ambient capabilities. So all are taken out of that set,
// and out of the inheritable one that file capabilities draw on, and those to keep are put into both.
bool keep_capabilities(std::uint64_t kept, int& which) noexcept {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);  // there is none before Linux 4.3
  __user_cap_header_struct self{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &self, sets.data()) != 0) return false;
  const std::uint64_t permitted = sets[0].permitted | std::uint64_t{sets[1].permitted} << 32;
  if (const std::uint64_t lacking = kept & ~permitted; lacking != 0) {
    which = std::countr_zero(lacking);
    errno = EPERM;
    return false;
  }
  sets[0].inheritable = static_cast<std::uint32_t>(kept);
  sets[1].inheritable = static_cast<std::uint32_t>(kept >> 32);
  if (::syscall(SYS_capset, &self, sets.data()) != 0) return false;
  for (std::uint64_t left = kept; left != 0; left &= left - 1) {
    which = std::countr_zero(left);
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, which, 0, 0) != 0) return false;
  }
  return true;
}

// So that what exec loads stops before it has done anything, and dies with us. False: it may not, and then exec
// must not be tried.
bool stop_after_exec() noexcept {
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
}

bool find_program(const SpawnLayout& l) noexcept {
  int worst = l.programs.empty() ? 0 : ENOENT;
  for (const std::string& program : l.programs) {
    if (::faccessat(AT_FDCWD, program.c_str(), X_OK, AT_EACCESS) == 0) return true;
    if (errno == EACCES) worst = EACCES;
  }
  errno = worst;
  return worst == 0;
}

// As execvp(3): a directory without permission does not end the search.
void exec_by_path(const SpawnLayout& l) noexcept {
  int worst = ENOENT;
  for (const std::string& program : l.programs) {
    ::execve(program.c_str(), const_cast<char**>(l.argv.data()), const_cast<char**>(l.envp.data()));
    if (errno == EACCES) worst = EACCES;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return;
  }
  errno = worst;
}

void exec_descriptor(const SpawnLayout& l, int fd) noexcept {
  ::syscall(SYS_execveat, fd, "", l.argv.data(), l.envp.data(), AT_EMPTY_PATH);
}

// A script's interpreter is told to read /dev/fd/N, so that one stays open; a description of its own, since
// Perl reads from that itself.
int descriptor_for_interpreter(const SpawnLayout& l) noexcept {
  char path[40] = "/proc/self/fd/";
  write_number(path + std::strlen(path), l.program_fd);
  const int readable = ::open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
  const int first_free = first_passed_fd + static_cast<int>(l.pass.size());
  return ::fcntl(readable >= 0 ? readable : l.program_fd, F_DUPFD, first_free);
}

void exec(const SpawnLayout& l) noexcept {
  if (l.shell_fd) {
    write_number(l.shell_fd, descriptor_for_interpreter(l));
    ::execve(l.shell.front(), const_cast<char**>(l.shell.data()), const_cast<char**>(l.envp.data()));
    return;
  }
  exec_by_path(l);
  if (l.program_fd < 0 || (errno != ENOENT && errno != ENOTDIR && errno != EACCES)) return;
  const int why = errno;
  exec_descriptor(l, l.program_fd);
  // What it says of a script whose descriptor would be closed by now.
  if (errno == ENOENT) exec_descriptor(l, descriptor_for_interpreter(l));
  if (!l.programs.empty()) errno = why;
}

bool enter_directory(const SpawnLayout& l) noexcept {
  if (l.directory_fd >= 0) return ::fchdir(l.directory_fd) == 0;
  return !l.launch->directory || ::chdir(l.launch->directory->c_str()) == 0;
}

}  // namespace

// The sanitizer does not know the stack that this runs on.
#define GRACED_ON_FOREIGN_STACK __attribute__((no_sanitize_address))

[[noreturn]] GRACED_ON_FOREIGN_STACK void become_worker(void* layout) noexcept {
  SpawnLayout& l = *static_cast<SpawnLayout*>(layout);
  const Launch& launch = *l.launch;
  int which = 0;

  SpawnStep step = SpawnStep::signals;
  for (const int signo : *l.ignored_signals) ::signal(signo, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  bool ok = ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;

  if (ok) {
    step = SpawnStep::group;
    ok = ::setpgid(0, 0) == 0;
  }
  if (ok) {
    step = SpawnStep::descriptors;
    ok = place_descriptors(l);
  }
  if (ok && launch.umask) ::umask(*launch.umask);
  if (ok) {
    step = SpawnStep::limits;
    for (const Launch::Limit& limit : launch.limits) {
      ok = ::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &limit.value) == 0;
      if (!ok) break;
      ++which;
    }
  }
  if (ok && launch.adoption) {
    // Before the user changes: with CAP_SYS_ADMIN the filter needs no no_new_privs.
    step = SpawnStep::adoption;
    ok = load_filter(*launch.adoption, l.listener_socket);
  }
  if (ok && !launch.directory) {
    // As what it inherits from graced: nobody asks whether it may.
    step = SpawnStep::directory;
    ok = enter_directory(l);
  }
  if (ok && launch.identity) {
    if (launch.kept_capabilities != 0) ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    ok = become(*launch.identity, step);
  }
  if (ok) {
    step = SpawnStep::capabilities;
    ok = keep_capabilities(launch.kept_capabilities, which);
  }
  if (ok && launch.directory) {
    step = SpawnStep::directory;
    ok = enter_directory(l);
  }
  if (ok) {
    step = SpawnStep::exec;
    if (l.listen_pid) write_number(l.listen_pid, ::getpid());
    if (launch.trial && !stop_after_exec()) {
      if (find_program(l)) ::_exit(0);
    } else {
      exec(l);
    }
  }
  const SpawnFailure failure{step, errno, which};
  (void)!::write(l.status_fd, &failure, sizeof failure);
  ::_exit(127);
}

}  // namespace graced
