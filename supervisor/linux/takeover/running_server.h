// A server that runs without graced: who it is, which TCP sockets it listens on, and whether they can be shared
// with workers of graced.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/take_target.h"
#include "linux/base/fd.h"
#include "linux/manager/unit_stop.h"
#include "linux/proc/process.h"
#include "linux/sockets/listen_socket.h"

namespace graced {

struct RunningSocket {
  std::string key;      // group_key()
  std::string address;  // to show: "tcp 0.0.0.0:8080"
  SocketAddress where;
  ino_t inode = 0;
  Fd fd;            // our duplicate, the same open file description as the server's
  uid_t owner = 0;  // of the socket, as it was found
  bool had_reuseport = false;
};

struct RunningProcess {
  ProcessId id;
  Fd pidfd;  // readable once it has ended
};

class RunningServer {
 public:
  struct Found;

  // Says what is in the way of a takeover instead of throwing it. Throws std::runtime_error where nobody can be
  // asked.
  static Found look(const TakeTarget& target);

  pid_t pid() const { return processes_.front().id.pid; }
  std::string text() const;                                // "PID 812 (nginx)"
  const std::string& command() const { return command_; }  // safe to show
  uid_t user() const { return user_; }                     // whom its first process runs as

  // Whose main process it is: systemd would start it again after a signal, and so is asked to stop it.
  const std::optional<SystemdUnit>& unit() const { return unit_; }

  // It, which is the first, and all that was below it when it was looked at.
  const std::vector<RunningProcess>& processes() const { return processes_; }
  const std::vector<RunningSocket>& sockets() const { return sockets_; }

  // What another image of this process takes over, see linux/upgrade; descriptors are borrowed until it does.
  struct Kept {
    struct Process {
      ProcessId id{};
      int pidfd = -1;
    };
    struct Socket {
      std::string key{};
      std::string address{};
      ino_t inode = 0;
      int fd = -1;
      uid_t owner = 0;
      bool had_reuseport = false;
    };
    std::string command{};
    uid_t user = 0;
    std::optional<SystemdUnit> unit{};
    std::vector<Process> processes{};  // one at least
    std::vector<Socket> sockets{};
  };
  Kept kept() const;
  explicit RunningServer(Kept kept);

 private:
  friend class ServerLook;
  RunningServer() = default;

  std::string command_;
  uid_t user_ = 0;
  std::optional<SystemdUnit> unit_;
  std::vector<RunningProcess> processes_;
  std::vector<RunningSocket> sockets_;
};

struct RunningServer::Found {
  std::optional<RunningServer> server;  // none: it does not run, or listens nowhere, or cannot be looked into
  std::string nothing;                  // then, unless something is in the way: "nothing listens on tcp:8080"
  std::vector<std::string>
      in_the_way;  // one line each; with any the server cannot be taken, and may lack sockets
  std::vector<std::string> warnings;  // one line each: it can, but
  std::string end_in_doubt;           // one line: why it may not end, or be started again; empty: it is not
};

}  // namespace graced
