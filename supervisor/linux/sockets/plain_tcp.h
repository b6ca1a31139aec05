// MPTCP listeners cannot be told apart by the kernel's SO_REUSEPORT programs; plain TCP ones can.
#pragma once

#include "linux/base/fd.h"

namespace graced {

bool is_mptcp(int fd);

// An unbound TCP socket with the options that the MPTCP one was given. None, with errno, where the two would
// not be in the same network (another network namespace than graced's: EXDEV).
Fd plain_tcp_like(int mptcp);

}  // namespace graced
