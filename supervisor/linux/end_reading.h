// Ends the reading side of another process's connection.
#pragma once

#include <functional>

#include "linux/fd.h"

namespace graced {

// SHUT_RD: its reader finds the end after what has come so far. Takes our duplicate and closes it in the
// same breath. False if the connection was over already.
bool end_reading(Fd duplicate);

// The same of a TCP connection, if `still` says so of it. A request that comes between that question and the
// moment at which the reader closes would be reset; so from before the question on none comes through, and
// its client meets an orderly end. False, and the connection as it was, if not.
bool end_reading_if(Fd duplicate, const std::function<bool(int fd)>& still);

}  // namespace graced
