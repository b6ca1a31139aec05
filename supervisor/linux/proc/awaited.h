// On which descriptors a thread waits for input, as /proc tells: the call that it is blocked in.
#pragma once

#include <sys/types.h>

#include <vector>

namespace graced {

struct Awaited {
  std::vector<int> descriptors;  // of accept, recv, poll, select, epoll_wait and their like
  bool hidden = false;           // it is there, and graced may not look
};

Awaited awaited_by(pid_t thread);

}  // namespace graced
