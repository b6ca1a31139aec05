#include "linux/worker/output_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "linux/base/sys_error.h"

namespace graced {

OutputPipe make_output_pipe(const std::optional<uid_t>& owner) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw sys_error("create a pipe for the worker's output");
  OutputPipe p{Fd(ends[0]), Fd(ends[1])};
  constexpr int wanted = 1 << 20;
  ::fcntl(p.worker_end.get(), F_SETPIPE_SZ, wanted);  // a smaller pipe works too

  // What fails here is told by whoever cannot open /dev/stderr or /dev/stdout: the descriptor itself works all
  // the same.
  if (owner) (void)!::fchown(p.worker_end.get(), *owner, static_cast<gid_t>(-1));
  if (::fcntl(p.read_end.get(), F_SETFL, O_NONBLOCK) != 0) throw sys_error("open the worker's output");
  return p;
}

}  // namespace graced
