// While an image takes over, whatever goes wrong with it leads back to the image before: faults (SIGSEGV,
// SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT), an exception that nobody catches, exit(3), and the time
// limit. Only _exit(2) and SIGKILL do not. The image before finds all as it left it, as long as this one has
// read nothing from a descriptor, reaped no child, and closed nothing and made nothing CLOEXEC of what it was
// given.
#pragma once

#include <span>
#include <string_view>

#include "linux/base/fd.h"
#include "linux/upgrade/named_descriptor.h"
#include "linux/upgrade/upgrade_call.h"

namespace graced {

// An exception must not be caught between where it is thrown and main(), and main() must not catch it either:
// then nothing is unwound, std::terminate is called with all as it was, and no destructor removes the files or
// ends the processes that were taken over.
//
// One a process. For an image that was called to resume; for one that was called back there is no way back any
// more: a fault is told in one line to standard error and ends the process, as it would without the guard.
class ResumeGuard {
 public:
  // First of all; `arguments` is main's argv. SIGALRM must stay unblocked until the commit: it is the time
  // limit.
  ResumeGuard(const UpgradeCall& call, char** arguments);
  ResumeGuard(const ResumeGuard&) = delete;
  ResumeGuard& operator=(const ResumeGuard&) = delete;
  ~ResumeGuard();  // without a commit: gives up

  // Back, or the end of the process. why: one line, "it cannot read the state: …".
  [[noreturn]] void give_up(std::string_view why) noexcept;

  // From here on this image is the one that runs. What was carried is CLOEXEC again, the state and the image
  // before are closed, and the signal mask is what it was before the exec.
  void commit(std::span<const NamedDescriptor> carried) noexcept;

 private:
  Fd state_;
  Fd old_;
  std::uint64_t mask_;
  bool committed_ = false;
};

}  // namespace graced
