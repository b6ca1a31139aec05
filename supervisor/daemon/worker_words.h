// What workers say by sd_notify(3), and who says so: their READY=1, STATUS=, STOPPING=1 and
// EXTEND_TIMEOUT_USEC=.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/time.h"
#include "daemon/candidate_failure.h"
#include "daemon/event_pump.h"
#include "daemon/ignored_words.h"
#include "daemon/log.h"
#include "handoff/ready_watch.h"
#include "linux/event/loop.h"
#include "linux/worker/notify_socket.h"
#include "workers/workers.h"

namespace graced {

class WorkerWords {
 public:
  // Borrowed.
  struct Others {
    Log& log;
    EventPump& pump;
    Workers& workers;
    ReadyWatch& ready;
    CandidateFailure& failure;
  };
  // path: where workers are to say it. Throws std::system_error.
  WorkerWords(Loop& loop, const std::string& path, Others others);

  // What another image of this process takes over, see linux/upgrade; the descriptor is borrowed until it does.
  struct Kept {
    NotifySocket::Kept socket{};
    IgnoredWords::Kept ignored{};
  };
  Kept kept() const { return {socket_.kept(), ignored_.kept()}; }
  WorkerWords(Loop& loop, Kept kept, Others others);

  const std::string& path() const { return socket_.path(); }  // NOTIFY_SOCKET

  void attend();
  void read();  // what there is now, or some of it

  // Until somebody says something. False: nobody has.
  bool wait(Duration limit) { return socket_.wait(limit); }

  void tell_of_ignored() { ignored_.tell(); }

 private:
  void tell_ignored(GenerationId generation, const std::string& words);
  void heard(const Notification& said);
  void ignore_ready(pid_t sender);

  Loop& loop_;
  Others o_;
  NotifySocket socket_;
  Source readable_;
  IgnoredWords ignored_;
};

}  // namespace graced
