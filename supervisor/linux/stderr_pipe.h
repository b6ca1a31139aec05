// The pipe that a watched worker has for stderr.
#pragma once

#include <string>

#include "linux/fd.h"

namespace graced {

// The worker's end can be read as well as written, so that a worker whose supervisor was killed does
// not die of SIGPIPE; it can write on until the pipe is full.
struct StderrPipe {
  Fd read_end;  // non-blocking
  Fd worker_end;
};

// As large as an unprivileged process may have it: 1 MiB. Throws std::system_error.
StderrPipe make_stderr_pipe();

// What is there now, at most 64 KiB; `ended` is set when all writers are gone.
std::string read_available(int fd, bool& ended);

}  // namespace graced
