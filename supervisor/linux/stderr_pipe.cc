// See stderr_pipe.h.
#include "linux/stderr_pipe.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "linux/sys_error.h"

namespace graced {

StderrPipe make_stderr_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw sys_error("create a pipe for the worker's stderr");
  StderrPipe p{Fd(ends[0]), Fd(ends[1])};
  constexpr int wanted = 1 << 20;
  ::fcntl(p.worker_end.get(), F_SETPIPE_SZ, wanted);  // a smaller pipe works too

  const Fd both(::open(fmt::format("/proc/self/fd/{}", ends[1]).c_str(), O_RDWR | O_CLOEXEC));
  if (both) {
    // Same number, other description: dup3 keeps CLOEXEC.
    if (::dup3(both.get(), p.worker_end.get(), O_CLOEXEC) < 0) throw sys_error("open the worker's stderr");
  }
  if (::fcntl(p.read_end.get(), F_SETFL, O_NONBLOCK) != 0) throw sys_error("open the worker's stderr");
  return p;
}

std::string read_available(int fd, bool& ended) {
  static std::array<char, 64 * 1024> bytes;
  const ssize_t n = ::read(fd, bytes.data(), bytes.size());
  ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
  return n > 0 ? std::string(bytes.data(), static_cast<std::size_t>(n)) : std::string();
}

}  // namespace graced
