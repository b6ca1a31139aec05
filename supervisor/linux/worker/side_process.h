// A process of graced's own for what may keep it waiting: what it writes is read when it comes.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "core/time.h"
#include "linux/base/fd.h"
#include "linux/worker/starting_place.h"

namespace graced {

class SideProcess {
 public:
  // Runs `work` in a copy of this process, which enters `place` first, has no other descriptors left than the
  // standard ones, `kept` and `output`, which it writes to, and ends with it, or with graced. Throws
  // std::system_error.
  SideProcess(const StartingPlace& place, const std::function<void(int output)>& work,
              std::vector<int> kept = {});
  SideProcess(const SideProcess&) = delete;
  SideProcess& operator=(const SideProcess&) = delete;
  ~SideProcess();  // kills it; whoever reaps graced's children reaps it

  // Non-blocking. Its end: the process has finished.
  int output() const { return output_.get(); }

  // Waits for what it writes, or its end, at most so long. False: there was none.
  bool speaks_within(Duration most) const;

 private:
  Fd pidfd_;
  Fd output_;
};

}  // namespace graced
