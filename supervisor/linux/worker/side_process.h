// A process of graced's own for what may keep it waiting: what it writes is read when it comes.
#pragma once

#include <sys/types.h>

#include <functional>

#include "linux/base/fd.h"

namespace graced {

class SideProcess {
 public:
  // Runs `work` in a copy of this process, in `directory` (-1: where it is), which has no other descriptor left
  // than the standard ones and `output`, which it writes to, and ends with it, or with graced. Throws
  // std::system_error.
  SideProcess(int directory, const std::function<void(int output)>& work);
  SideProcess(const SideProcess&) = delete;
  SideProcess& operator=(const SideProcess&) = delete;
  ~SideProcess();  // kills it; whoever reaps graced's children reaps it

  // Non-blocking. Its end: the process has finished.
  int output() const { return output_.get(); }

 private:
  Fd pidfd_;
  Fd output_;
};

}  // namespace graced
