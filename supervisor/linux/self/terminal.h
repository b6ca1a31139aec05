// The terminal that graced was started from, if it was.
#pragma once

#include <cstddef>

namespace graced {

// Whether this process has a controlling terminal. One that was closed (the window, the connection) is none.
bool has_terminal();

// Whether its starter wants it to go on when the terminal is closed (nohup(1)): SIGHUP is ignored.
bool outlives_terminal();

// Stops this process, as a shell's job is stopped, and returns when it is continued; at once where nobody could
// continue it.
void stop_as_job();

bool is_terminal(int fd);

// Of the terminal that `fd` is; 0 where it is none, or does not say.
std::size_t terminal_columns(int fd);

}  // namespace graced
