// What graced tells the service manager above it, see sd_notify(3). Nothing if there is none.
// Not by sd_notify() itself: that waits when the manager is slow to read, and then so would graced.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/status.h"
#include "linux/base/fd.h"

namespace graced {

// How things stand.
struct ServiceManagerNews {
  Phase phase;                   // what it is doing, whoever serves: see course_of()
  std::string story;             // STATUS=
  std::optional<Instant> limit;  // when the phase ends at the latest, see core/phase_limit.h
  int error = 0;                 // errno of the last reload, or of the start, if it failed for one
  int exit_status = 0;           // told once the phase is `finished`
};

// As graced was started; empty: not set.
struct ServiceManagerVariables {
  std::string notify_socket;  // NOTIFY_SOCKET
  std::string watchdog_usec;  // WATCHDOG_USEC
  std::string watchdog_pid;   // WATCHDOG_PID
};

class ServiceManager {
 public:
  // A manager that cannot be reached is none.
  explicit ServiceManager(const ServiceManagerVariables& variables);

  // What another image of this process takes over, see linux/upgrade: what the manager was told, and what waits
  // to be told.
  struct Kept {
    struct Message {
      std::string text{};
      int fd = -1;  // none
    };
    Phase phase = Phase::starting;
    std::string story{};
    int error = 0;
    std::optional<Instant> limit{};
    std::vector<Message> waiting{};  // in their order
  };
  Kept kept() const;
  // With a new connection to the manager. What waits is sent by flush().
  ServiceManager(const ServiceManagerVariables& variables, Kept kept);

  bool anybody() const { return static_cast<bool>(socket_); }

  // How often tell_alive() is to be called, if there is a watchdog for graced.
  std::optional<Duration> watchdog() const { return anybody() ? watchdog_ : std::nullopt; }

  // Sends what has changed since the last time: READY=1, RELOADING=1 with MONOTONIC_USEC= (from
  // systemd 253 on they must come in one message), STOPPING=1, STATUS=, ERRNO=, EXIT_STATUS=, and
  // EXTEND_TIMEOUT_USEC= where the limit is later than what the manager was told before. Messages that
  // cannot go out now wait in their order.
  void tell(const ServiceManagerNews& news, Instant now);

  // WATCHDOG=1. Left out while messages wait: the manager cannot miss what it does not read.
  void tell_alive();

  // Any message, and one with a descriptor in it.
  void send(std::string message);
  void send_descriptor(std::string message, Fd fd);

  // True while messages wait: then watch fd() for EPOLLOUT and call flush().
  bool behind() const { return !waiting_.empty(); }
  int fd() const { return socket_.get(); }
  void flush();

 private:
  struct Message {
    std::string text;
    Fd fd;  // may be none
  };
  bool deliver(const Message& message);

  Fd socket_;
  std::optional<Duration> watchdog_;
  Phase told_phase_ = Phase::starting;
  std::string told_story_;
  int told_error_ = 0;
  std::optional<Instant> told_limit_;
  std::deque<Message> waiting_;
};

}  // namespace graced
