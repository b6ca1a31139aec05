// Who is behind a control socket.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/time.h"
#include "linux/base/fd.h"

namespace graced::control {

// Who hangs up as another image takes over is asked again; so often, where several do, one right after the
// other.
inline constexpr int most_upgrades_at_once = 10;

// A connected socket, which blocks. Waits where the backlog is full. Throws std::system_error: ENOENT and
// ECONNREFUSED mean that nobody is there, ETIMEDOUT that there was no room within `patience`.
Fd connect_to(const std::string& path, Duration patience);

// The same at once: none, and EAGAIN in errno, where there is no room now; none and another errno: it cannot
// be reached.
Fd connect_now(const std::string& path);

// Who listens there, held so that its end can be seen whatever becomes of its number; none if it lives in a
// PID namespace we do not see.
Fd process_behind(int socket);

// What it is called here; 0 likewise.
pid_t number_behind(int socket);

// Of one that hung up: whether it is there still. One that ends hangs up a moment before its process is gone;
// that is waited for, a second at most.
bool stays(const std::string& path, const Fd& process);

}  // namespace graced::control
