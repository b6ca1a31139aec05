// clone3(CLONE_VM|CLONE_VFORK|CLONE_PIDFD): the child borrows our memory until exec, so a large
// parent costs nothing. What it does there is in become_worker.cc.
#include "linux/worker/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "linux/base/descriptor_message.h"
#include "linux/base/pidfd.h"
#include "linux/base/sys_error.h"
#include "linux/worker/become_worker.h"
#include "linux/worker/program_search.h"
#include "linux/worker/spawn_failure.h"

namespace graced {

namespace {

// Those whose default is to be restored. Looked at once: graced itself ignores and handles none, so these are
// what it was started with.
const std::vector<int>& ignored_signals() {
  static const std::vector<int> ignored = [] {
    std::vector<int> found;
    for (int signo = 1; signo < NSIG; ++signo) {
      if (signo == SIGPIPE || signo == SIGHUP) continue;
      struct sigaction action {};
      if (::sigaction(signo, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) found.push_back(signo);
    }
    return found;
  }();
  return ignored;
}

std::vector<std::string> programs_for(const Launch& launch) {
  if (!launch.program)
    return programs_named(launch.command.front(), {launch.shared_environment, &launch.environment});
  return launch.program->path.empty() ? std::vector<std::string>{} : std::vector{launch.program->path};
}

// sh -c '. /dev/fd/N' NAME ARGUMENTS: the script finds what lies beside it, as its name is not /dev/fd/N.
void lay_out_shell(SpawnLayout& l) {
  const auto& program = l.launch->program;
  if (!program || !program->path.empty() || program->shell.empty()) return;
  constexpr std::string_view read = ". /dev/fd/";
  std::string& command = l.strings.emplace_back(std::string(read) + std::string(20, '\0'));
  l.shell_fd = command.data() + read.size();
  for (const std::string& word : program->shell) l.shell.push_back(word.c_str());
  for (const char* word : {"-c", command.c_str(), program->name.c_str()}) l.shell.push_back(word);
  l.shell.insert(l.shell.end(), l.argv.begin() + 1, l.argv.end());
}

SpawnLayout lay_out(const Launch& launch, int status_fd, int listener_socket) {
  SpawnLayout l;
  l.launch = &launch;
  l.programs = programs_for(launch);
  l.pass = launch.pass_fds;
  l.program_fd = launch.program ? launch.program->fd : -1;
  l.directory_fd = launch.directory_fd;
  l.status_fd = status_fd;
  l.listener_socket = listener_socket;
  l.ignored_signals = &ignored_signals();
  for (const std::string& word : launch.command) l.argv.push_back(word.c_str());
  l.argv.push_back(nullptr);

  l.strings.reserve(4);  // pointers into it must stay
  l.envp.reserve(launch.environment.size() +
                 (launch.shared_environment ? launch.shared_environment->size() : 0) + 4);
  if (launch.shared_environment) {
    for (const std::string& e : *launch.shared_environment) l.envp.push_back(e.c_str());
  }
  for (const std::string& e : launch.environment) l.envp.push_back(e.c_str());
  if (!launch.pass_fds.empty()) {
    std::string names;
    for (const std::string& name : launch.pass_names) names += (names.empty() ? "" : ":") + name;
    l.strings.push_back(fmt::format("LISTEN_FDS={}", launch.pass_fds.size()));
    l.strings.push_back("LISTEN_FDNAMES=" + names);
    constexpr std::string_view key = "LISTEN_PID=";
    l.strings.push_back(std::string(key) + std::string(20, '\0'));
    l.listen_pid = l.strings.back().data() + key.size();
    for (const std::string& s : l.strings) l.envp.push_back(s.c_str());
  }
  l.envp.push_back(nullptr);
  lay_out_shell(l);
  return l;
}

// The child must not return through our frames: it gets a stack of its own and never comes back.
class ChildStack {
 public:
  static constexpr std::size_t size = 64 * 1024;
  ChildStack()
      : base_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
    if (base_ == MAP_FAILED) throw sys_error("allocate a stack for the new process");
  }
  ~ChildStack() { ::munmap(base_, size); }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  void* base() const { return base_; }

 private:
  void* base_;
};

// -ENOSYS where we have no stub for the processor.
long clone_like_vfork(SpawnLayout& layout, int cgroup_fd, int& pidfd) {
  static const ChildStack stack;
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  args.stack = reinterpret_cast<std::uint64_t>(stack.base());
  args.stack_size = ChildStack::size;
  if (cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(cgroup_fd);
  }
#if defined(__x86_64__)
  long result = SYS_clone3;
  register void (*entry)(void*) __asm__("r8") = become_worker;
  register void* argument __asm__("r9") = &layout;
  __asm__ volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r9, %%rdi\n\t"
      "call *%%r8\n\t"
      "hlt\n"
      "1:"
      : "+a"(result), "+r"(entry), "+r"(argument)
      : "D"(&args), "S"(sizeof args)
      : "rcx", "r11", "memory", "cc");
  return result;
#elif defined(__aarch64__)
  register long result __asm__("x0") = reinterpret_cast<long>(&args);
  register long size __asm__("x1") = sizeof args;
  register long number __asm__("x8") = SYS_clone3;
  register void (*entry)(void*) __asm__("x9") = become_worker;
  register void* argument __asm__("x10") = &layout;
  __asm__ volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x0, x10\n\t"
      "blr x9\n\t"
      "brk #1\n"
      "1:"
      : "+r"(result)
      : "r"(size), "r"(number), "r"(entry), "r"(argument)
      : "memory", "cc");
  return result;
#else
  (void)layout;
  return -ENOSYS;
#endif
}

// Where clone3 is refused (an old kernel, a container's seccomp filter).
long plain_fork(SpawnLayout& layout, int& pidfd) {
  const pid_t pid = ::fork();
  if (pid == 0) become_worker(&layout);
  if (pid < 0) return -errno;
  pidfd = open_pidfd(pid).release();
  return pid;
}

bool can_fall_back(long result) {
  return result == -ENOSYS || result == -EPERM || result == -EINVAL;
}

// For kernels that cannot start a process there (before 5.7) and cgroups that do not take one at once.
void move_into(int cgroup_fd, pid_t pid) {
  const Fd file(::openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC));
  const std::string number = std::to_string(pid);
  if (file) (void)!::write(file.get(), number.data(), number.size());
}

}  // namespace

std::variant<Spawned, SpawnFailed> spawn(const Launch& launch) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw sys_error("create a pipe for the new process");
  Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  Fd our_socket;
  Fd its_socket;
  if (launch.adoption) {
    int sockets[2];
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sockets) != 0) {
      throw sys_error("create a socket pair for the new process");
    }
    our_socket.reset(sockets[0]);
    its_socket.reset(sockets[1]);
  }
  SpawnLayout layout = lay_out(launch, write_end.get(), its_socket.get());

  int pidfd_number = -1;
  long pid = clone_like_vfork(layout, launch.cgroup_fd, pidfd_number);
  const bool moves_later = pid < 0 && launch.cgroup_fd >= 0;
  if (moves_later) pid = clone_like_vfork(layout, -1, pidfd_number);
  if (can_fall_back(pid)) pid = plain_fork(layout, pidfd_number);
  if (pid < 0) throw sys_error_of(static_cast<int>(pid), "start a process");
  Fd pidfd(pidfd_number);
  if (moves_later) move_into(launch.cgroup_fd, static_cast<pid_t>(pid));
  write_end.reset();

  SpawnFailure failure{};
  const ssize_t n = ::read(read_end.get(), &failure, sizeof failure);
  if (n == 0) {
    Fd notifications = launch.adoption ? receive_descriptor(our_socket.get()) : Fd();
    return Spawned{static_cast<pid_t>(pid), std::move(pidfd), std::move(notifications)};
  }

  ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  if (n != sizeof failure) return SpawnFailed{"the new process vanished before exec", false};
  return explain(layout, failure);
}

std::optional<SpawnFailed> try_spawn(Launch launch) {
  launch.trial = true;
  const auto result = spawn(launch);
  if (const auto* failed = std::get_if<SpawnFailed>(&result)) return *failed;
  const pid_t pid = std::get<Spawned>(result).pid;
  int status = 0;
  // It is stopped by exec's SIGTRAP, and its tracer may give it a signal whoever it runs as.
  if (::waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
    ::ptrace(PTRACE_CONT, pid, nullptr, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
  return std::nullopt;
}

}  // namespace graced
