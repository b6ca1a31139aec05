// What graced tells the service manager above it, see sd_notify(3). Nothing if there is none.
// Not by sd_notify() itself: that waits when the manager is slow to read, and then so would graced.
#pragma once

#include <deque>
#include <string>

#include "core/status.h"
#include "linux/fd.h"

namespace graced {

class Upstream {
 public:
  // notify_socket: the value of NOTIFY_SOCKET, empty if there is none. A manager that cannot be
  // reached is none.
  explicit Upstream(const std::string& notify_socket);

  // Sends what has changed since the last time: READY=1, RELOADING=1 with MONOTONIC_USEC= (from
  // systemd 253 on they must come in one message), STOPPING=1, STATUS=. Messages that cannot go out
  // now wait in their order.
  void tell(Phase phase, const std::string& story);

  // True while messages wait: then watch fd() for EPOLLOUT and call flush().
  bool behind() const { return !waiting_.empty(); }
  int fd() const { return socket_.get(); }
  void flush();

 private:
  Fd socket_;
  Phase told_phase_ = Phase::starting;
  std::string told_story_;
  std::deque<std::string> waiting_;
};

}  // namespace graced
