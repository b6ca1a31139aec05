// Messages over a unix socket that carry a descriptor (SCM_RIGHTS of unix(7)).
#pragma once

#include <sys/types.h>

#include <string_view>

#include "linux/base/fd.h"

namespace graced {

// fd: -1 for none. Returns what sendmsg(2) does, and never blocks. Async-signal-safe.
ssize_t send_message(int socket, std::string_view text, int fd) noexcept;

// The descriptor of the message that waits in the socket, whose text is thrown away. None if no message waits,
// or the message has no descriptor.
Fd receive_descriptor(int socket);

}  // namespace graced
