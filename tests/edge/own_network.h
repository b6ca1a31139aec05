// A network of a test's own, loopback only, so that its ports meet nobody else's. Without the privilege for
// one the test stays where it is.
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "linux/base/fd.h"

namespace graced {

class OwnNetwork {
 public:
  OwnNetwork() : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (!before_ || ::unshare(CLONE_NEWNET) != 0) {
      before_.reset();
      return;
    }
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP | IFF_RUNNING;
    ::ioctl(socket.get(), SIOCSIFFLAGS, &loopback);
  }
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;
  ~OwnNetwork() {
    if (before_) ::setns(before_.get(), CLONE_NEWNET);
  }

  explicit operator bool() const { return static_cast<bool>(before_); }

 private:
  Fd before_;
};

}  // namespace graced
