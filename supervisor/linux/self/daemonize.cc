// fork, setsid, fork: the second one can never get a terminal again.
#include "linux/self/daemonize.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>

#include "linux/base/sys_error.h"

namespace graced {

namespace {

// A status, then the reason to its end.
[[noreturn]] void wait_in_front(const Fd& back) {
  std::string said;
  std::array<char, 512> part;
  for (;;) {
    const ssize_t n = ::read(back.get(), part.data(), part.size());
    if (n > 0) {
      said.append(part.data(), static_cast<std::size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      break;
    }
  }
  if (said.empty()) ::_exit(1);  // it has told why on standard error, or was killed
  if (said.size() > 1) fmt::print(stderr, "graced: {}\n", said.substr(1));
  ::_exit(static_cast<std::uint8_t>(said.front()));
}

pid_t fork_or_throw() {
  const pid_t pid = ::fork();
  if (pid < 0) throw sys_error("go into the background");
  return pid;
}

void let_go_unless_file(int fd) {
  struct stat what {};
  if (::fstat(fd, &what) == 0 && S_ISREG(what.st_mode)) return;
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(null.get(), fd);
}

}  // namespace

// What workers inherit must not be what somebody waits for the end of: a pipe of whoever started graced.
Background Background::enter(bool keep_error) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw sys_error("make a pipe");
  const Fd back(ends[0]);
  Fd front(ends[1]);
  std::fflush(nullptr);  // what is in the buffers would be written twice
  if (fork_or_throw() != 0) {
    front.reset();
    wait_in_front(back);
  }
  ::setsid();
  if (fork_or_throw() != 0) ::_exit(0);
  let_go_unless_file(STDIN_FILENO);
  let_go_unless_file(STDOUT_FILENO);
  if (!keep_error) let_go_unless_file(STDERR_FILENO);
  return Background(std::move(front));
}

void Background::ready() {
  if (!front_) return;
  let_go_unless_file(STDERR_FILENO);
  const char well = 0;
  (void)!::write(front_.get(), &well, 1);
  front_.reset();
}

void Background::failed(int exit_status, const std::string& why) {
  if (!front_) return;
  const std::string said = static_cast<char>(exit_status) + why;
  (void)!::write(front_.get(), said.data(), said.size());
  front_.reset();
}

}  // namespace graced
