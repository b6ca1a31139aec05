// A listening socket that was bound without SO_REUSEPORT, so that nobody else could be there, is of no group
// that the kernel would ask a program about, until another one has begun to listen beside it.
#pragma once

#include "linux/base/fd.h"

namespace graced {

// Lets further sockets of this user bind the address of this TCP socket, and binds one there. Throws
// std::system_error.
Fd bind_beside(int listening_fd);

// The same, and listens there. The kernel
// spreads new connections over both until a program is attached; what comes here must go on to the other one by
// closing it, which takes a program that migrates. Throws std::system_error.
Fd listen_beside(int listening_fd);

}  // namespace graced
