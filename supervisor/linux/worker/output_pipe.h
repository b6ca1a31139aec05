// The pipe that a watched worker has for stderr, and where that is watched for stdout.
#pragma once

#include <sys/types.h>

#include <optional>

#include "linux/base/fd.h"

namespace graced {

// A worker whose supervisor was killed finds that nobody reads any more (EPIPE, and SIGPIPE unless it is
// ignored) as soon as it writes, as with every pipe: it must not wait for a reader that never comes.
struct OutputPipe {
  Fd read_end;  // non-blocking
  Fd worker_end;
};

// As large as an unprivileged process may have it: 1 MiB. `owner`: who the worker is, where that is not
// graced's own user; it can open the pipe by name then, as /dev/stderr or
// /dev/stdout. Throws std::system_error.
OutputPipe make_output_pipe(const std::optional<uid_t>& owner);

}  // namespace graced
