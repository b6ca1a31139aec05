// clone3(CLONE_VM|CLONE_VFORK|CLONE_PIDFD): the child borrows our memory until exec, so a large
// parent costs nothing and nothing may be allocated, locked or thrown in between.
#include "linux/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "linux/adoption_filter.h"
#include "linux/sys_error.h"

namespace graced {

namespace {

constexpr int first_passed_fd = 3;

enum class Step : int { signals, group, descriptors, limits, adoption, groups, gid, uid, directory, exec };

struct Failure {
  Step step;
  int code;   // errno
  int which;  // index of the limit
};

// Everything the child needs, as pointers to memory that the parent owns.
struct Layout {
  const Launch* launch;
  std::vector<std::string> strings;   // backing of what follows
  std::vector<std::string> programs;  // paths to try, in order
  std::vector<const char*> argv;
  std::vector<const char*> envp;
  char* listen_pid = nullptr;               // digits go here; the rest of the slot is already zero
  std::vector<int> pass;                    // working copy of pass_fds
  const std::vector<int>* ignored_signals;  // exec resets handlers by itself, but not these
  int status_fd = -1;
  int listener_socket = -1;  // where the filter's descriptor is sent, if there is one
};

// Looked at once: graced itself ignores and handles none, so these are what it was started with.
const std::vector<int>& ignored_signals() {
  static const std::vector<int> ignored = [] {
    std::vector<int> found;
    for (int signo = 1; signo < NSIG; ++signo) {
      struct sigaction action {};
      if (::sigaction(signo, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) found.push_back(signo);
    }
    return found;
  }();
  return ignored;
}

std::vector<std::string> programs_for(const Launch& launch) {
  const std::string& program = launch.command.front();
  if (program.find('/') != std::string::npos) return {program};

  std::string path = "/usr/local/bin:/usr/bin:/bin";
  for (const auto* environment : {launch.shared_environment, &launch.environment}) {
    if (!environment) continue;
    for (const std::string& e : *environment) {
      if (e.starts_with("PATH=")) path = e.substr(5);
    }
  }
  std::vector<std::string> programs;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t to = std::min(path.find(':', from), path.size());
    const std::string directory = path.substr(from, to - from);
    programs.push_back((directory.empty() ? "." : directory) + "/" + program);
    from = to + 1;
  }
  return programs;
}

Layout lay_out(const Launch& launch, int status_fd, int listener_socket) {
  Layout l;
  l.launch = &launch;
  l.programs = programs_for(launch);
  l.pass = launch.pass_fds;
  l.status_fd = status_fd;
  l.listener_socket = listener_socket;
  l.ignored_signals = &ignored_signals();
  for (const std::string& word : launch.command) l.argv.push_back(word.c_str());
  l.argv.push_back(nullptr);

  l.strings.reserve(3);  // pointers into it must stay
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
  return l;
}

// Without leading zeros: sd_listen_fds() would read those as octal.
void write_number(char* at, pid_t number) noexcept {
  std::array<char, 20> digits{};
  std::size_t n = 0;
  for (; number > 0; number /= 10) digits[n++] = static_cast<char>('0' + number % 10);
  while (n > 0) *at++ = digits[--n];
}

// A source below the targets would be overwritten before its turn, so those move up first.
bool place_descriptors(Layout& l) noexcept {
  const Launch& launch = *l.launch;
  const int first_free = first_passed_fd + static_cast<int>(l.pass.size());
  for (int& fd : l.pass) {
    if (fd < first_free) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, first_free);
    if (fd < 0) return false;
  }
  int in = launch.stdin_fd;
  int err = launch.stderr_fd;
  for (int* fd : {&in, &err, &l.status_fd, &l.listener_socket}) {
    if (*fd >= 0 && *fd < first_free) *fd = ::fcntl(*fd, F_DUPFD_CLOEXEC, first_free);
  }
  if (l.status_fd < 0 || (launch.adoption && l.listener_socket < 0)) return false;
  if (in >= 0 && ::dup2(in, STDIN_FILENO) < 0) return false;
  if (err >= 0 && ::dup2(err, STDERR_FILENO) < 0) return false;
  int target = first_passed_fd;
  for (const int fd : l.pass) {
    if (::dup2(fd, target++) < 0) return false;
  }
  // Strays that graced was started with are nobody's business.
  ::syscall(SYS_close_range, static_cast<unsigned>(first_free), ~0U, CLOSE_RANGE_CLOEXEC);
  return true;
}

// The parent sleeps until exec, so the descriptor has to wait for it in a socket. From here on nothing that
// the filter asks about may be called before exec: nobody would answer.
bool load_filter(const Launch::Adoption& adoption, int socket) noexcept {
  if (adoption.no_new_privs && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  const int listener = load_adoption_filter(*adoption.filter, adoption.wait_killable);
  if (listener < 0) return false;

  char byte = 0;
  iovec content{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof listener)] = {};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof listener);
  std::memcpy(CMSG_DATA(header), &listener, sizeof listener);
  const bool sent = ::sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
  ::close(listener);
  return sent;
}

// Raw calls: glibc's wrappers would go round all threads of a process that is not ours alone.
bool become(const Launch::Identity& identity, Step& step) noexcept {
  step = Step::groups;
  if (::syscall(SYS_setgroups, identity.groups.size(), identity.groups.data()) != 0) return false;
  step = Step::gid;
  if (::syscall(SYS_setresgid, identity.gid, identity.gid, identity.gid) != 0) return false;
  step = Step::uid;
  return ::syscall(SYS_setresuid, identity.uid, identity.uid, identity.uid) == 0;
}

// As execvp(3): a directory without permission does not end the search.
void exec(const Layout& l) noexcept {
  int worst = ENOENT;
  for (const std::string& program : l.programs) {
    ::execve(program.c_str(), const_cast<char**>(l.argv.data()), const_cast<char**>(l.envp.data()));
    if (errno == EACCES) worst = EACCES;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return;
  }
  errno = worst;
}

// The sanitizer does not know the stack that this runs on.
#define GRACED_ON_FOREIGN_STACK __attribute__((no_sanitize_address))

[[noreturn]] GRACED_ON_FOREIGN_STACK void become_worker(void* layout) noexcept {
  Layout& l = *static_cast<Layout*>(layout);
  const Launch& launch = *l.launch;
  int which = 0;

  Step step = Step::signals;
  for (const int signo : *l.ignored_signals) ::signal(signo, SIG_DFL);
  bool ok = ::sigprocmask(SIG_SETMASK, &launch.signal_mask, nullptr) == 0;

  if (ok) {
    step = Step::group;
    ok = ::setpgid(0, 0) == 0;
  }
  if (ok) {
    step = Step::descriptors;
    ok = place_descriptors(l);
  }
  if (ok && launch.umask) ::umask(*launch.umask);
  if (ok) {
    step = Step::limits;
    for (const Launch::Limit& limit : launch.limits) {
      ok = ::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &limit.value) == 0;
      if (!ok) break;
      ++which;
    }
  }
  if (ok && launch.adoption) {
    // Before the user changes: with CAP_SYS_ADMIN the filter needs no no_new_privs.
    step = Step::adoption;
    ok = load_filter(*launch.adoption, l.listener_socket);
  }
  if (ok && launch.identity) ok = become(*launch.identity, step);
  if (ok && launch.directory) {
    step = Step::directory;
    ok = ::chdir(launch.directory->c_str()) == 0;
  }
  if (ok) {
    step = Step::exec;
    if (l.listen_pid) write_number(l.listen_pid, ::getpid());
    exec(l);
  }
  const Failure failure{step, errno, which};
  (void)!::write(l.status_fd, &failure, sizeof failure);
  ::_exit(127);
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
long clone_like_vfork(Layout& layout, int cgroup_fd, int& pidfd) {
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
long plain_fork(Layout& layout, int& pidfd) {
  const pid_t pid = ::fork();
  if (pid == 0) become_worker(&layout);
  if (pid < 0) return -errno;
  pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
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

std::string exec_hint(const Layout& l, int code) {
  const std::string& program = l.launch->command.front();
  const bool looked_up = program.find('/') == std::string::npos;
  if (code == ENOENT && looked_up) return " (not found in PATH)";
  struct stat file {};
  const std::string path =
      l.launch->directory && !program.starts_with('/') ? *l.launch->directory + "/" + program : program;
  if (looked_up || ::stat(path.c_str(), &file) != 0) return "";
  if (code == ENOENT) return " (the file is there; the interpreter that its first line names is not)";
  if (S_ISDIR(file.st_mode)) return " (it is a directory)";
  if (code == EACCES && (file.st_mode & 0111) == 0) return " (not executable: chmod +x it)";
  if (code == ENOEXEC) return " (neither a program nor a script that begins with #!)";
  return "";
}

SpawnFailed explain(const Layout& l, const Failure& failure) {
  const Launch& launch = *l.launch;
  const char* reason = ::strerrordesc_np(failure.code);
  switch (failure.step) {
    case Step::signals:
      return {fmt::format("set the worker's signal mask: {}", reason), false};
    case Step::group:
      return {fmt::format("give the worker a process group: {}", reason), false};
    case Step::descriptors: {
      rlimit files{};
      ::getrlimit(RLIMIT_NOFILE, &files);
      return {fmt::format(
                  "pass {} sockets to the worker: {} (the limit is {} descriptors; raise it with ulimit -n or "
                  "LimitNOFILE=)",
                  launch.pass_fds.size(), reason, files.rlim_cur),
              false};
    }
    case Step::limits:
      return {
          fmt::format("set limit {}: {}", launch.limits[static_cast<std::size_t>(failure.which)].name, reason),
          false};
    case Step::adoption:
      return {fmt::format("load the seccomp filter for adoption: {}", adoption_filter_refused(failure.code)),
              false};
    case Step::groups:
    case Step::gid:
    case Step::uid:
      return {
          fmt::format("become user {}: {} (graced must run as root for that)", launch.identity->name, reason),
          false};
    case Step::directory:
      return {fmt::format("chdir {}: {}", *launch.directory, reason), false};
    case Step::exec:
      return {fmt::format("exec {}: {}{}", launch.command.front(), reason, exec_hint(l, failure.code)),
              failure.code == ENOENT};
  }
  return {reason, false};
}

// What load_filter sent; none if the process died on the way to it.
Fd received_listener(int socket) {
  char byte = 0;
  iovec content{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1) return Fd();
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return Fd();
  int listener = -1;
  std::memcpy(&listener, CMSG_DATA(header), sizeof listener);
  return Fd(listener);
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
  Layout layout = lay_out(launch, write_end.get(), its_socket.get());

  int pidfd_number = -1;
  long pid = clone_like_vfork(layout, launch.cgroup_fd, pidfd_number);
  const bool moves_later = pid < 0 && launch.cgroup_fd >= 0;
  if (moves_later) pid = clone_like_vfork(layout, -1, pidfd_number);
  if (can_fall_back(pid)) pid = plain_fork(layout, pidfd_number);
  if (pid < 0) throw sys_error_of(static_cast<int>(pid), "start a process");
  Fd pidfd(pidfd_number);
  if (moves_later) move_into(launch.cgroup_fd, static_cast<pid_t>(pid));
  write_end.reset();

  Failure failure{};
  const ssize_t n = ::read(read_end.get(), &failure, sizeof failure);
  if (n == 0) {
    Fd notifications = launch.adoption ? received_listener(our_socket.get()) : Fd();
    return Spawned{static_cast<pid_t>(pid), std::move(pidfd), std::move(notifications)};
  }

  ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  if (n != sizeof failure) return SpawnFailed{"the new process vanished before exec", false};
  return explain(layout, failure);
}

}  // namespace graced
