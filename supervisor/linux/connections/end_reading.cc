// The reader wakes up, sees the end and closes its descriptor. As long as ours is open, too, that does not
// take the connection out of the reader's epoll instance, which goes on to report it, for a descriptor
// and perhaps a pointer that mean nothing any more (epoll(7), question 6). Being woken, the reader is just
// who would run instead of us, so for these two system calls we are not to be interrupted. Without
// CAP_SYS_NICE we may be: there is no other way then.
#include "linux/connections/end_reading.h"

#include <sched.h>
#include <sys/socket.h>

#include <system_error>

#include "linux/steering/bpf_program.h"

namespace graced {
namespace {

class Uninterrupted {
 public:
  Uninterrupted() : before_(::sched_getscheduler(0)) {
    sched_param lowest{};
    lowest.sched_priority = 1;
    if (before_ == SCHED_OTHER || before_ == SCHED_BATCH || before_ == SCHED_IDLE)
      changed_ = ::sched_setscheduler(0, SCHED_FIFO, &lowest) == 0;
  }
  ~Uninterrupted() {
    const sched_param none{};
    if (changed_) ::sched_setscheduler(0, before_, &none);
  }
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;

 private:
  int before_;
  bool changed_ = false;
};

Fd program_if_possible() {
  try {
    return load_data_dropper();
  } catch (const std::system_error&) { return Fd(); }
}

// What the client sends is dropped, and sent again later, unless there is a filter already: then that is the
// worker's own.
class DroppedData {
 public:
  DroppedData(int fd, const Fd& program) : fd_(fd) {
    try {
      if (has_filter(fd)) return;
      if (program) {
        attach_filter(fd, program.get());
      } else {
        attach_data_dropper(fd);
      }
      attached_ = true;
    } catch (const std::system_error&) {
    }  // no privilege (probe_steering() tells), SO_LOCK_FILTER: then it may be reset
  }
  ~DroppedData() {
    try {
      if (attached_) detach_filter(fd_);
    } catch (const std::system_error&) {}  // it has just been attached
  }
  DroppedData(const DroppedData&) = delete;
  DroppedData& operator=(const DroppedData&) = delete;

  void for_good() { attached_ = false; }

 private:
  int fd_;
  bool attached_ = false;
};

}  // namespace

bool end_reading(Fd duplicate) {
  const Uninterrupted now;
  const bool ended = ::shutdown(duplicate.get(), SHUT_RD) == 0;
  duplicate.reset();
  return ended;
}

bool OrderlyEnds::end(Fd duplicate, const std::function<bool(int fd)>& still) {
  if (!program_) program_ = program_if_possible();
  DroppedData dropped(duplicate.get(), *program_);
  if (!still(duplicate.get())) return false;
  dropped.for_good();
  return end_reading(std::move(duplicate));
}

}  // namespace graced
