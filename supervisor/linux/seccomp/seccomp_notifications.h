// The descriptor by which a seccomp filter asks, and the ways to answer it.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <optional>

#include "linux/base/fd.h"

namespace graced {

class SeccompNotifications {
 public:
  explicit SeccompNotifications(Fd fd);

  int get() const { return fd_.get(); }

  // What has been asked and not been received yet; none if nobody waits (any more). Does not block.
  std::optional<seccomp_notif> next();

  // False if whoever asked has died or was interrupted meanwhile: then what its PID led to may be anybody's.
  bool still_asked(std::uint64_t id) const;

  // The call returns 0, or -1 with this errno. False if nobody waits for it any more.
  bool answer(std::uint64_t id, int code);
  // The kernel does what was asked. False likewise.
  bool pass(std::uint64_t id);

  // Puts a copy of our descriptor in place of descriptor `number` of who asked. 0 or an errno.
  int replace(std::uint64_t id, int ours, int number, bool close_on_exec);

 private:
  bool send(std::uint64_t id, int code, std::uint32_t flags);

  Fd fd_;
};

}  // namespace graced
